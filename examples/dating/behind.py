"""What happens behind the scenes: the schedules, and what their last runs came to."""

from dataclasses import dataclass
from typing import Any

from examples.dating.jobs import lodger
from lodger import RunNotFound, ScheduleRecord


@dataclass(frozen=True, kw_only=True)
class ScheduleView:
    id: str
    timetable: str
    state: str
    next_at: str
    fired: int
    last_status: str
    """Of its last run, or NONE."""
    last_instant: str
    """The instant that run is for."""
    last_by_hand: bool
    last_result: Any


def schedules() -> list[ScheduleView]:
    return [_view(record) for record in lodger.schedules()]


def _view(record: ScheduleRecord) -> ScheduleView:
    status, instant, by_hand, result = "NONE", "", False, None
    if record.last_run_id is not None:
        try:
            run = lodger.get_run(record.last_run_id)
        except RunNotFound:  # its retention has passed
            status = "GONE"
        else:
            made_by = run.meta["schedule"]
            status, instant, by_hand, result = run.status, made_by["instant"], made_by["by_hand"], run.result
    return ScheduleView(
        id=record.id,
        timetable=str(record.timetable),
        state=record.state,
        next_at=f"{record.next_at:%Y-%m-%d %H:%M:%S} UTC" if record.next_at else "never",
        fired=record.fired,
        last_status=status,
        last_instant=instant,
        last_by_hand=by_hand,
        last_result=result,
    )

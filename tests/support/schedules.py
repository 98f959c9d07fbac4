"""Schedules in a few short words, for the tests of the store and the daemon. Time passes by moving rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from lodger.model.ids import new_id
from lodger.model.schedule import FirePlan, ScheduleRecord, ScheduleSpec, make_spec, plan_fires
from lodger.model.timetable import Every, Timetable, timetable_of
from lodger.store import declarations, fires, schedulers, schedules
from lodger.store.fires import DueSchedule, Fired
from lodger.store.sql import Terms
from lodger.store.values import time_in, time_out
from tests.support.store import Store, new_run

PERIOD: Final = timedelta(days=300)
SLOWLY: Final = Every(PERIOD)
"""No test meets one of its instants by chance."""


def spec(schedule: str = "s", timetable: Timetable = SLOWLY, *, run: Any = None, **options: Any) -> ScheduleSpec:
    """A schedule of job `j`."""
    return make_spec(run or new_run(), timetable, id=schedule, **options)


class Schedules:
    """The schedules of one store; each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.database = store.database

    # Operations

    def put(self, *specs: ScheduleSpec) -> None:
        """Store them at run time."""
        for one in specs:
            self.database.transact(lambda conn, one=one: schedules.store(conn, one))  # type: ignore[misc]

    def declare(self, *specs: ScheduleSpec, owner: str | None) -> list[str]:
        """Declare them in code."""
        return self.database.transact(lambda conn: declarations.declare(conn, specs, owner))

    def scheduler(self, dead_after_seconds: float = 60) -> str:
        """Register a daemon and return its id."""
        values = {"environment": "e", "release": "r", "placement": "separate", "host": "h", "pid": 1}
        made = schedulers.NewScheduler(id=new_id(), dead_after_seconds=dead_after_seconds, **values)  # type: ignore[arg-type]
        self.database.transact(lambda conn: schedulers.register(conn, made))
        return made.id

    def due(self) -> list[DueSchedule]:
        """What is due."""
        with self.database.connect() as conn:
            return fires.due(conn, 100)

    def fire(self, due: DueSchedule, late_seconds: float = 60) -> Fired | None:
        """Fire one that was read as due."""
        return self.do(due, self.plan(due, late_seconds))

    def do(self, due: DueSchedule, plan: FirePlan) -> Fired | None:
        """Carry out a plan; None when somebody was faster."""
        return self.database.transact(lambda conn: fires.fire(conn, [(due, plan)], new_id())).get(due.id)

    @staticmethod
    def plan(due: DueSchedule, late_seconds: float = 60) -> FirePlan:
        """What a daemon would do about it."""
        timetable = timetable_of(due.timetable)
        return plan_fires(timetable, due.misfire, first=due.next_at, now=due.now, late_seconds=late_seconds)

    def fire_due(self) -> list[Fired | None]:
        """Fire all that is due, one after the other."""
        return [self.fire(one) for one in self.due()]

    def fire_at(self, instant: datetime, schedule: str = "s") -> Fired | None:
        """Fire this instant, whatever the timetable says."""
        self.set(schedule, next_at=instant, due_at=instant)
        (due,) = [one for one in self.due() if one.id == schedule]
        plan = FirePlan(instants=(instant,), next_at=instant + PERIOD, missed=False)
        return self.do(due, plan)

    def now(self) -> datetime:
        """The database's clock."""
        with self.database.connect() as conn:
            return schedules.clock(conn)

    def get(self, schedule: str = "s") -> ScheduleRecord:
        """The schedule as the API shows it."""
        with self.database.connect() as conn:
            return schedules.get(conn, schedule)

    # What is there

    def runs(self) -> list[dict[str, Any]]:
        """The `meta` of all runs, in order."""
        return [self.store.get(run).meta for run in self.store.ids()]

    def fires(self, schedule: str = "s") -> list[tuple[datetime | None, str]]:
        """The instants that were fired, and what came of them."""
        rows = self.store.rows(
            lambda t: f"SELECT instant, outcome FROM {t.fire} WHERE schedule_id = :id ORDER BY instant", id=schedule
        )
        return [(time_out(row[0]), row[1]) for row in rows]

    # Time and other changes behind Lodger's back

    def back(self, schedule: str = "s", by: timedelta = PERIOD) -> datetime:
        """Let time pass for a schedule: its next instant is earlier by so much. Returns that instant."""
        before = self.get(schedule).next_at
        assert before is not None
        self.set(schedule, next_at=before - by, due_at=before - by)
        return before - by

    def set(self, schedule: str = "s", **columns: Any) -> None:
        """Overwrite columns of a schedule."""
        values = {
            name: time_in(self.store.dialect, value) if isinstance(value, datetime) else value
            for name, value in columns.items()
        }
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        assert self.store.change(
            lambda t: f"UPDATE {t.schedule} SET {assignments} WHERE id = :id", id=schedule, **values
        )

    def silence(self, scheduler: str, seconds: float = 3600) -> None:
        """Make a daemon's last beat that old."""

        def sql(t: Terms) -> str:
            return f"UPDATE {t.scheduler} SET beat_at = {t.after(':us')} WHERE id = :id"

        assert self.store.change(sql, id=self.store.key(scheduler), us=-round(seconds * 1e6))

"""One look at what is due, and firing it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from lodger.errors import LodgerError
from lodger.failpoints import failpoint
from lodger.model.schedule import FirePlan, plan_fires
from lodger.model.timetable import timetable_of
from lodger.store import fires
from lodger.store.database import Conn, Database
from lodger.store.fires import DueSchedule, Fired
from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.scheduler")

Planned: TypeAlias = tuple[DueSchedule, FirePlan]

LOOK: Final = 200
BATCH: Final = 25
BATCH_RUNS: Final = 100
POSTPONE_SECONDS: Final = 60.0


class Firing:
    """Fires what is due, some schedules in a transaction."""

    def __init__(self, database: Database, announcer: Announcer, late_seconds: float) -> None:
        """``late_seconds``: how late an instant may be for misfire="skip"."""
        self._database = database
        self._announcer = announcer
        self._late_seconds = late_seconds
        self.has_fired = False
        """Since somebody set it to False."""

    def fire_due(self, scheduler: str, is_over: Callable[[], bool]) -> float | None:
        """Fire what is due, until it ``is_over``; return the seconds to the next instant, None when there is none."""
        while True:
            start = time.monotonic()
            with self._database.connect() as conn:
                look = fires.look(conn)
                due = fires.due(conn, LOOK) if look.is_due else []
            if not due or is_over():
                return None if look.seconds_to_next is None else look.seconds_to_next - (time.monotonic() - start)
            random.shuffle(due)  # daemons that look at the same moment begin at different ends
            for batch in _batches(list(self._planned(due, is_over))):
                if not is_over():
                    self._fire_safely(batch, scheduler)

    def _planned(self, due: Sequence[DueSchedule], is_over: Callable[[], bool]) -> Iterator[Planned]:
        """Plan what can be read here; catching up on a cron expression may take a while."""
        for schedule in due:
            if is_over():
                return
            try:
                yield schedule, self._plan(schedule)
            except Exception as error:  # noqa: BLE001 - whatever it is, it keeps no other from firing
                self._postpone(schedule, error)

    def _plan(self, schedule: DueSchedule) -> FirePlan:
        return plan_fires(
            timetable_of(schedule.timetable),
            schedule.misfire,
            first=schedule.next_at,
            now=schedule.now,
            late_seconds=self._late_seconds,
        )

    def _fire_safely(self, batch: Sequence[Planned], scheduler: str) -> None:
        """Fire some; what is wrong with one alone is told in its row and keeps no other from firing."""
        try:
            self._fire(batch, scheduler)
        except Exception as error:
            if self._database.is_passing(error):
                raise
            if len(batch) == 1:
                self._postpone(batch[0][0], error)
            else:
                for one in batch:
                    self._fire_safely([one], scheduler)

    def _postpone(self, schedule: DueSchedule, error: Exception) -> None:
        text = str(error) if isinstance(error, LodgerError) else f"{type(error).__name__}: {error}"
        logger.error("schedule %s can't be fired here: %s", schedule.id, text)
        self._database.transact(lambda conn: fires.postpone(conn, schedule, text, POSTPONE_SECONDS))

    def _fire(self, batch: Sequence[Planned], scheduler: str) -> None:
        fired = self._database.transact(lambda conn: _fire_in(conn, batch, scheduler))
        if not fired:
            return
        failpoint("fire.after_commit")
        self.has_fired = True
        ours = [(schedule, plan, fired[schedule.id]) for schedule, plan in batch if schedule.id in fired]
        self._announcer.announce({schedule.queue for schedule, _, came in ours if came.queued})
        for one in ours:
            _tell(*one)


def _batches(planned: Sequence[Planned]) -> Iterator[list[Planned]]:
    """Yield a few at a time: a commit for each alone takes longer, one for all holds too much for too long."""
    batch: list[Planned] = []
    runs = 0
    for one in planned:
        batch.append(one)
        runs += len(one[1].instants)
        if len(batch) >= BATCH or runs >= BATCH_RUNS:
            yield batch
            batch, runs = [], 0
    if batch:
        yield batch


def _fire_in(conn: Conn, batch: Sequence[Planned], scheduler: str) -> dict[str, Fired]:
    fired = fires.fire(conn, batch, scheduler)
    if fired:
        failpoint("fire.before_commit")
    return fired


def _tell(schedule: DueSchedule, plan: FirePlan, fired: Fired) -> None:
    if plan.missed:
        logger.warning(
            "schedule %s: instants since %s were missed; misfire=%r makes up for %d of them",
            *(schedule.id, schedule.next_at.isoformat(), schedule.misfire, len(plan.instants)),
        )
    if fired.skipped:
        logger.info("schedule %s: %d instants left out, as a run has not ended", schedule.id, fired.skipped)

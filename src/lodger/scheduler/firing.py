"""One look at what is due, and firing it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final

from lodger.errors import LodgerError
from lodger.failpoints import failpoint
from lodger.model.schedule import FirePlan, plan_fires
from lodger.model.timetable import timetable_of
from lodger.store import fires
from lodger.store.database import Conn, Database
from lodger.store.fires import DueSchedule, Fired
from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.scheduler")

BATCH: Final = 200
POSTPONE_SECONDS: Final = 60.0


class Firing:
    """Fires what is due, schedule by schedule, each in a transaction of its own."""

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
                due = fires.due(conn, BATCH) if look.is_due else []
            if not due or is_over():
                return None if look.seconds_to_next is None else look.seconds_to_next - (time.monotonic() - start)
            random.shuffle(due)  # daemons that look at the same moment begin at different ends
            for schedule in due:
                if not is_over():
                    self._fire_safely(schedule, scheduler)

    def _fire_safely(self, schedule: DueSchedule, scheduler: str) -> None:
        """Fire one; whatever is wrong with it alone is told in its row and keeps no other from firing."""
        try:
            self._fire(schedule, scheduler)
        except Exception as error:
            if self._database.is_passing(error):
                raise
            text = str(error) if isinstance(error, LodgerError) else f"{type(error).__name__}: {error}"
            logger.error("schedule %s can't be fired here: %s", schedule.id, text)  # noqa: TRY400 - said in its row
            self._database.transact(lambda conn: fires.postpone(conn, schedule, text, POSTPONE_SECONDS))

    def _fire(self, schedule: DueSchedule, scheduler: str) -> None:
        plan = plan_fires(
            timetable_of(schedule.timetable),
            schedule.misfire,
            first=schedule.next_at,
            now=schedule.now,
            late_seconds=self._late_seconds,
        )
        fired = self._database.transact(lambda conn: _fire_in(conn, schedule, plan, scheduler))
        if fired is None:
            return
        failpoint("fire.after_commit")
        self.has_fired = True
        if fired.queued:
            self._announcer.announce({schedule.queue})
        _tell(schedule, plan, fired)


def _fire_in(conn: Conn, schedule: DueSchedule, plan: FirePlan, scheduler: str) -> Fired | None:
    fired = fires.fire(conn, schedule, plan, scheduler)
    if fired is not None:
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

"""Writing what code declares, now and again: another release may have written something else since."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from lodger.model.schedule import ScheduleSpec
from lodger.store import declarations, migrations
from lodger.store.database import Database

logger: Final = logging.getLogger("lodger.scheduler")

WEB_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Between the tries of a web process: at a first start its worker has yet to make the tables."""


class Declarer:
    """Declares the same schedules again each time it is called."""

    def __init__(
        self, database: Database, specs: Callable[[], Sequence[ScheduleSpec]], owner: Callable[[], str | None]
    ) -> None:
        """``owner`` is asked each time: a worker that was declared dead goes on under another id."""
        self._database = database
        self._specs = specs
        self._owner = owner
        self._told: set[str] = set()
        self._has_declared = False

    def __call__(self) -> None:
        """Declare; raises what the database raises."""
        # In one order, so that processes that declare at the same moment don't wait for each other in a circle.
        specs = sorted(self._specs(), key=lambda spec: spec.id)
        if not specs and not self._has_declared:
            return
        owner = self._owner()
        taken = self._database.transact(lambda conn: declarations.declare(conn, specs, owner))
        self._has_declared = True
        for schedule in taken:
            if schedule not in self._told:
                self._told.add(schedule)
                logger.warning(
                    "schedule %s was stored at run time and stays as it is: what code declares under this id has no "
                    "effect until it is deleted",
                    schedule,
                )


class WebDeclarer:
    """Declares once, in the background, for a process that has no row: so that schedules are seen without a worker."""

    def __init__(self, database: Database, specs: Callable[[], Sequence[ScheduleSpec]]) -> None:
        """Ask for them in the background, once; ``database`` is its own, and closed at the end."""
        self._database = database
        self._specs = specs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="lodger-declare", daemon=True)

    def start(self) -> None:
        """Start; never raises, never waits."""
        self._thread.start()

    def stop(self) -> None:
        """Give up what has not been done by now."""
        self._stop.set()
        self._thread.join(1.0)

    def _main(self) -> None:
        try:
            obstacle = self._write(self._specs())
        except Exception as error:  # noqa: BLE001 - the site must not notice
            obstacle = f"{type(error).__name__}: {error}"
        if obstacle:
            logger.warning("the schedules that code declares were not written by this web process: %s", obstacle)
        self._database.dispose()

    def _write(self, specs: Sequence[ScheduleSpec]) -> str:
        """Return what was in the way to the last; nothing when it is done, or nobody waits for it any more."""
        if not specs:
            return ""
        declare = Declarer(self._database, lambda: specs, lambda: None)
        obstacle = ""
        for pause in WEB_PAUSES:
            obstacle = self._try(declare)
            if not obstacle or self._stop.wait(pause):
                return ""
        return obstacle

    def _try(self, declare: Declarer) -> str:
        """Declare; return what is in the way and may pass: no tables yet, or no database."""
        try:
            with self._database.connect() as conn:
                if migrations.version(conn) < migrations.LATEST:
                    return "no tables yet"
            declare()
        except Exception as error:
            if not self._database.is_passing(error):
                raise
            return f"{type(error).__name__}: {error}"
        return ""

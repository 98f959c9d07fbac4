"""What is left to do for an engine that died: its runs are freed, last those that an app's transaction has locked."""

from __future__ import annotations

import logging
import time
from typing import Final

from lodger.store import claims
from lodger.store.database import Database
from lodger.store.rescue import Freed
from lodger.supervisor.sweeper import free_engine, free_stopped
from lodger.worker.flight import Manifest

logger: Final = logging.getLogger("lodger.supervisor")

AGAIN_SECONDS: Final = 1.0


class Burial:
    """One dead engine: it crashed, or (``is_stopped``) it ended as its worker does, which nobody is blamed for."""

    def __init__(
        self, worker: str, number: int, how: str, manifest: Manifest | None, *, is_stopped: bool = False
    ) -> None:
        """Note ``how`` it died, and what its recorder says it was executing."""
        self._worker = worker
        self._number = number
        self._how = how
        self._manifest = manifest
        self._is_stopped = is_stopped
        self._alone: bool | None = None
        self._again_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to try (again)."""
        return time.monotonic() >= self._again_at

    def free(self, database: Database) -> bool:
        """Free its runs; False while some of them are locked: those are for later."""
        with database.connect() as conn:
            held = {run for run, _ in claims.leases(conn, worker=self._worker, engine=self._number)}
        freed = self._free(database, held)
        self._again_at = time.monotonic() + AGAIN_SECONDS
        return not held.difference(run.id for run in freed)

    def _free(self, database: Database, held: set[str]) -> list[Freed]:
        if self._is_stopped:
            return free_stopped(database, self._worker, self._number)
        if self._alone is None:  # once: who is freed later is no less in company
            running = None if self._manifest is None else self._manifest.running
            self._alone = sum(1 for run in held if running is None or run in running) == 1
        freed = free_engine(database, self._worker, self._number, self._how, self._manifest, alone=self._alone)
        for run in freed:
            logger.error(
                "engine %d died (%s) with run %s of %s: now %s",
                *(self._number, self._how, run.id, run.job, run.status),
            )
        return freed

    def free_last(self, database: Database) -> None:
        """Try once more, whether or not it is due: nobody comes after us but a sweep."""
        try:
            self.free(database)
        except Exception as error:  # noqa: BLE001 - the others' runs are to be freed all the same
            logger.warning("the runs of engine %d are left to a sweep: %s", self._number, error)


class Burials:
    """Those of one supervisor that are not over."""

    def __init__(self, database: Database) -> None:
        """There are none yet."""
        self._database = database
        self._open: list[Burial] = []

    def __bool__(self) -> bool:
        """Whether runs of dead engines are not free yet."""
        return bool(self._open)

    def add(self, burial: Burial) -> None:
        """Have one more engine's runs freed."""
        self._open.append(burial)

    def go_on(self) -> None:
        """Free what is due; raises what is wrong with the database."""
        for burial in list(self._open):
            if burial.is_due and burial.free(self._database):
                self._open.remove(burial)

    def end(self) -> None:
        """Free what can be freed."""
        for burial in self._open:
            burial.free_last(self._database)

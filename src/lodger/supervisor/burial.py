"""What is left to do for an engine that died: its runs are freed, last those that an app's transaction has locked."""

from __future__ import annotations

import logging
import time
from typing import Final

from lodger.store import claims
from lodger.store.database import Database
from lodger.supervisor.sweeper import free_engine
from lodger.worker.flight import Manifest

logger: Final = logging.getLogger("lodger.supervisor")

AGAIN_SECONDS: Final = 1.0


class Burial:
    """One dead engine."""

    def __init__(self, worker: str, number: int, how: str, manifest: Manifest | None) -> None:
        """Note ``how`` it died, and what its recorder says it was executing."""
        self._worker = worker
        self._number = number
        self._how = how
        self._manifest = manifest
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
        if self._alone is None:  # once: who is freed later is no less in company
            running = None if self._manifest is None else self._manifest.running
            self._alone = sum(1 for run in held if running is None or run in running) == 1
        freed = free_engine(database, self._worker, self._number, self._how, self._manifest, alone=self._alone)
        for run in freed:
            logger.error(
                "engine %d died (%s) with run %s of %s: now %s",
                *(self._number, self._how, run.id, run.job, run.status),
            )
        self._again_at = time.monotonic() + AGAIN_SECONDS
        return not held.difference(run.id for run in freed)

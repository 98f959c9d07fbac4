"""Upkeep beside the claims, in a thread with a connection of its own: promote, prune, sweep, vacuum.

Every chore is small, safe to run in any number of workers at once, and may fail: it is logged and tried
again; it never takes the engine down.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lodger.failpoints import failpoint
from lodger.settings import Settings
from lodger.store import upkeep
from lodger.store.database import Conn, Database
from lodger.store.sql import Terms, statement
from lodger.trouble import backoff

logger: Final = logging.getLogger("lodger.worker")

PROMOTE_BATCH: Final = 500
UNIQUE_BATCH: Final = 500
VACUUM_AFTER: Final = 100_000
UNIQUE_SECONDS: Final = 15.0
DEAD_WORKER_SECONDS: Final = 86400.0
MAX_BACKOFF_SECONDS: Final = 10.0


@dataclass(slots=True)
class Chore:
    """One thing to do every so often."""

    every_seconds: float
    work: Callable[[], None]
    due: float = 0.0


class Maintenance:
    """Runs the chores until it is stopped."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        on_promoted: Callable[[set[str]], None],
        others: Sequence[Chore] = (),
    ) -> None:
        """``on_promoted`` hears of the queues that have new due runs; ``others``: what else is to be done."""
        self._database = database
        self._on_promoted = on_promoted
        self._retention = upkeep.Retention(
            succeeded_seconds=settings.keep_succeeded_seconds, failed_seconds=settings.keep_failed_seconds
        )
        self._finished = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="lodger-maintenance", daemon=True)
        self._chores = [
            Chore(settings.promote_seconds, self._promote),
            Chore(settings.prune_seconds, self._prune, time.monotonic() + settings.prune_seconds * random.random()),
            Chore(UNIQUE_SECONDS, self._free_unique),
            *others,
        ]
        if database.dialect == "postgresql":
            self._chores.append(Chore(5.0, self._vacuum))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """End the thread; a chore under way is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def count_finished(self, runs: int) -> None:
        """Hear how many runs the engine has finished: that is how fast dead rows pile up."""
        self._finished += runs

    def _main(self) -> None:
        failures = 0
        while not self._stop.is_set():
            now = time.monotonic()
            due = [chore for chore in self._chores if chore.due <= now]
            try:
                for chore in due:
                    chore.due = now + chore.every_seconds
                    chore.work()
                failures = 0
            except Exception as error:  # noqa: BLE001 - chores must not end the thread
                failures += 1
                logger.warning("maintenance: %s (tried again)", error)
                self._stop.wait(backoff(failures, 0.2, MAX_BACKOFF_SECONDS) * random.uniform(0.5, 1))
            next_due = min(chore.due for chore in self._chores)
            self._stop.wait(max(0.0, next_due - time.monotonic()))

    def _promote(self) -> None:
        while not self._stop.is_set():
            queues = self._database.transact(_promote_batch)
            if queues:
                failpoint("promote.after_commit")
                self._on_promoted(set(queues))
            if len(queues) < PROMOTE_BATCH:
                return

    def _prune(self) -> None:
        """Walk all old ids once, a thousand at a time; begin anew at the next turn."""
        after: str | None = None
        while not self._stop.is_set():
            step = self._database.transact(lambda conn, after=after: self._prune_step(conn, after))  # type: ignore[misc]
            after = step.after
            if after is None:
                break
        self._database.transact(lambda conn: upkeep.prune_workers(conn, DEAD_WORKER_SECONDS))

    def _prune_step(self, conn: Conn, after: str | None) -> upkeep.Pruned:
        step = upkeep.prune(conn, self._retention, after=after)
        failpoint("prune.before_commit")
        return step

    def _free_unique(self) -> None:
        while not self._stop.is_set():
            if self._database.transact(lambda conn: upkeep.free_unique(conn, UNIQUE_BATCH)) < UNIQUE_BATCH:
                return

    def _vacuum(self) -> None:
        """Clear dead rows ourselves: at ten thousand runs a second autovacuum's launcher comes too late."""
        if self._finished >= VACUUM_AFTER:
            self._finished = 0
            with self._database.connect() as conn:
                conn.write(vacuum_runs)


def _promote_batch(conn: Conn) -> list[str]:
    queues = upkeep.promote(conn, PROMOTE_BATCH)
    if queues:
        failpoint("promote.before_commit")
    return queues


@statement
def vacuum_runs(t: Terms) -> str:
    """Clear dead rows and refresh statistics (PostgreSQL)."""
    return f"VACUUM (ANALYZE, SKIP_LOCKED) {t.run}"

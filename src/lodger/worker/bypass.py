"""The way past runs that an app's transaction has locked: what concerns them waits, everything else is written."""

from __future__ import annotations

import time
from typing import Final

from lodger.model.outcome import Outcome
from lodger.store.database import Database
from lodger.store.faults import is_lock_timeout
from lodger.store.locks import locked_runs
from lodger.worker.answers import Answers
from lodger.worker.desk import Batch, EngineDesk

WARY_SECONDS: Final = 30.0
"""So long after a lock that did not come free, locks are looked for before anything is written."""


class Bypass:
    """Costs nothing until a statement has waited for a lock in vain."""

    def __init__(self, database: Database, desk: EngineDesk, answers: Answers) -> None:
        """Begin without suspicion."""
        self._database = database
        self._desk = desk
        self._answers = answers
        self._wary_until = 0.0

    def note(self, error: Exception) -> None:
        """Hear of a failed turn."""
        if is_lock_timeout(self._database.dialect, error):
            self._wary_until = time.monotonic() + WARY_SECONDS

    def leave_locked(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
        """Set aside what concerns locked runs, out of ``batch`` too; return the outcomes of the others."""
        if time.monotonic() >= self._wary_until:
            return outcomes
        with self._database.connect() as conn:
            locked = locked_runs(conn, batch.run_ids.union(outcome.run.id for outcome in outcomes))
        if not locked:
            return outcomes
        self._wary_until = time.monotonic() + WARY_SECONDS
        self._desk.set_aside(batch.split_off(locked))
        self._answers.set_aside([outcome for outcome in outcomes if outcome.run.id in locked])
        return [outcome for outcome in outcomes if outcome.run.id not in locked]

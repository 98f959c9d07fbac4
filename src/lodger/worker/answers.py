"""Answers: what attempts came to, kept until the database has it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from lodger.model.outcome import Outcome
from lodger.worker.desk import AGAIN_SECONDS

MAX_BATCH: Final = 500


class Answers:
    """A queue of outcomes; those of locked runs stand aside for a while, so that the others pass."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._due: deque[Outcome] = deque()
        self._aside: list[Outcome] = []
        self._again_at = 0.0

    def __bool__(self) -> bool:
        """Whether something can be told at once."""
        return bool(self._due)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, from any thread."""
        self._due.append(outcome)

    def take(self) -> list[Outcome]:
        """Return a batch to tell."""
        if self._aside and time.monotonic() >= self._again_at:
            self._due.extend(self._aside)
            self._aside = []
        taken: list[Outcome] = []
        while self._due and len(taken) < MAX_BATCH:
            taken.append(self._due.popleft())
        return taken

    def put_back(self, outcomes: Sequence[Outcome]) -> None:
        """Take back what could not be told, in front of what is newer."""
        self._due.extendleft(reversed(outcomes))

    def set_aside(self, outcomes: Sequence[Outcome]) -> None:
        """Let the others pass these."""
        if not self._aside:  # else those that came first would wait for ever
            self._again_at = time.monotonic() + AGAIN_SECONDS
        self._aside += outcomes

    def patience(self) -> float | None:
        """Return the seconds until those that stand aside are due, None when there are none."""
        return max(0.0, self._again_at - time.monotonic()) if self._aside else None

    def clear(self) -> None:
        """Forget everything: the runs belong to others."""
        self._due.clear()
        self._aside.clear()

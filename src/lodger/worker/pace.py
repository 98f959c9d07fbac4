"""How far ahead of its free slots an engine claims: as much as it finishes in a moment.

Runs shorter than a turn of the engine leave the slots empty while the database answers, and make its batches
small. Runs that take long are claimed one per free slot, so that another worker can take what this one has no
slot for.
"""

from __future__ import annotations

import time
from typing import Final

AHEAD_SECONDS: Final = 0.05
MAX_AHEAD: Final = 400
STALE_SECONDS: Final = 0.25
HOLD_SECONDS: Final = 1.0
"""What was claimed ahead and found no slot for so long is given back, uncounted: its neighbours take long."""


class Pace:
    """The rate at which runs end."""

    def __init__(self) -> None:
        """Begin with nothing known: nothing is claimed ahead."""
        self._rate = 0.0
        self._noted_at = time.monotonic()

    def note(self, ended: int) -> None:
        """Take in that ``ended`` runs were recorded."""
        now = time.monotonic()
        gap = now - self._noted_at
        rate = ended / max(gap, 0.001)
        self._rate = rate if gap > STALE_SECONDS else (self._rate + rate) / 2
        self._noted_at = now

    def ahead(self) -> int:
        """Return how many runs to hold beyond the slots."""
        if time.monotonic() - self._noted_at > STALE_SECONDS:
            return 0
        return min(int(self._rate * AHEAD_SECONDS), MAX_AHEAD)

"""Unique keys: at most one run holds a key at a time.

The key is hashed into ``unique_slot``, a nullable column under a plain UNIQUE index; NULL when the
run no longer holds the key. NULLs never collide, so one index serves all engines.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lodger.errors import InvalidInput

Conflict: TypeAlias = Literal["return", "raise", "replace"]
Scope: TypeAlias = Literal["active", "waiting"]
MAX_KEY_LENGTH: Final = 1000
MAX_WINDOW_SECONDS: Final = 366 * 86400


@dataclass(frozen=True, kw_only=True, slots=True)
class Unique:
    """How long ``key`` is held, and what happens to a second enqueue meanwhile.

    ``states="active"`` holds the key until the run has ended; ``"waiting"`` only until it starts, so
    that one more run may queue up behind a running one. ``window_seconds`` holds it at least that
    long from the enqueue, even when the run ends sooner. On a conflict the holder is returned
    (``"return"``), UniqueConflict raised (``"raise"``) or a holder that still waits replaced
    (``"replace"``; a running one is not, that raises).
    """

    key: str
    states: Scope = "active"
    window_seconds: float | None = None
    conflict: Conflict = "return"

    def __post_init__(self) -> None:
        """Refuse keys and choices outside the table above."""
        if not isinstance(self.key, str) or not 0 < len(self.key) <= MAX_KEY_LENGTH:
            raise InvalidInput("unique key", self.key, f"text of 1 to {MAX_KEY_LENGTH} characters")
        if self.states not in ("active", "waiting"):
            raise InvalidInput("unique states", self.states, "'active' or 'waiting'")
        if self.conflict not in ("return", "raise", "replace"):
            raise InvalidInput("unique conflict", self.conflict, "'return', 'raise' or 'replace'")
        if self.window_seconds is not None and not _is_window(self.window_seconds):
            raise InvalidInput("unique window_seconds", self.window_seconds, "seconds, over 0 to a year, or None")

    def slot(self, job: str) -> bytes:
        """Return the 32 bytes stored for this key of ``job`` (SHA-256; keys of two jobs never meet)."""
        return hashlib.sha256(f"{job}\x00{self.key}".encode("utf-8", "surrogatepass")).digest()


def _is_window(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 < value <= MAX_WINDOW_SECONDS

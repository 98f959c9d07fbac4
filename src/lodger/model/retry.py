"""When a failed attempt is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Final

from lodger.errors import InvalidInput

MAX_ATTEMPTS: Final = 1000
MAX_DELAY_SECONDS: Final = 30 * 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """Try again after a failure: exponential backoff with jitter.

    The wait before attempt ``n + 1`` is ``first_seconds * factor ** (n - 1)``, at most
    ``max_seconds``, times a random number in ``1 ± jitter`` so that a crowd of failures does not
    come back at one instant. ``on`` limits retries to these exception classes.
    """

    max_attempts: int = 5
    first_seconds: float = 5.0
    factor: float = 3.0
    max_seconds: float = 3600.0
    jitter: float = 0.2
    on: tuple[type[BaseException], ...] = (Exception,)

    def __post_init__(self) -> None:
        """Refuse values that make no schedule."""
        _within("retry.max_attempts", self.max_attempts, 1, MAX_ATTEMPTS)
        _within("retry.first_seconds", self.first_seconds, 0, MAX_DELAY_SECONDS)
        _within("retry.factor", self.factor, 1, 100)
        _within("retry.max_seconds", self.max_seconds, 0, MAX_DELAY_SECONDS)
        _within("retry.jitter", self.jitter, 0, 1)
        if not isinstance(self.max_attempts, int):
            raise InvalidInput("retry.max_attempts", self.max_attempts, "an integer")
        if not isinstance(self.on, tuple):
            raise InvalidInput("retry.on", self.on, "a tuple of exception classes, such as (OSError,)")
        for kind in self.on:
            if not (isinstance(kind, type) and issubclass(kind, BaseException)):
                raise InvalidInput("retry.on", kind, "exception classes")

    def delay_seconds(self, attempt: int, rand: random.Random) -> float:
        """Return the seconds to wait after the failure of ``attempt`` (counted from 1)."""
        # The exponent is bounded before the power is taken: 100.0 ** 999 overflows.
        exponent = min(attempt - 1, 64)
        wait = min(self.first_seconds * self.factor**exponent, self.max_seconds)
        return wait * (1 + self.jitter * (2 * rand.random() - 1))

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as a dict for the row (``on`` stays with the code: classes have no JSON)."""
        return {
            "max_attempts": self.max_attempts,
            "first_seconds": self.first_seconds,
            "factor": self.factor,
            "max_seconds": self.max_seconds,
            "jitter": self.jitter,
        }


def _within(field: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidInput(field, value, f"{low} to {high}")

"""Trouble that lasts and is tried on: it is logged once, not with every try, but what is new in it is logged, too."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

from lodger.errors import LodgerError

MOST_DOUBLINGS: Final = 30
"""Beyond, nobody waits; and after a thousand the number would be none that a float can hold."""
MOST_TEXTS: Final = 20
"""So many are remembered: the text of an error may hold numbers that differ each time."""


def backoff(tries: int, first_seconds: float, most_seconds: float) -> float:
    """Return the pause after so many failed tries: ``first_seconds``, doubled with each, at most ``most_seconds``."""
    return min(first_seconds * 2.0 ** min(tries, MOST_DOUBLINGS), most_seconds)


class Trouble:
    """One series of failed tries."""

    def __init__(self, logger: logging.Logger, who: str) -> None:
        """``who`` stands before each text in the log."""
        self._logger = logger
        self._who = who
        self._told: deque[str] = deque(maxlen=MOST_TEXTS)

    def note(self, error: Exception) -> None:
        """Log what went wrong, unless that was said before in this series."""
        text = str(error) if isinstance(error, LodgerError) else f"{type(error).__name__}: {error}"
        if text not in self._told:
            self._told.append(text)
            self._logger.error("%s: %s (trying on)", self._who, text)

    def end(self) -> None:
        """End the series: what comes next is new."""
        self._told.clear()

"""The clock by which Lodger counts how long somebody was silent."""

from __future__ import annotations

import time
from typing import Any, Final


def clock() -> float:
    """Return seconds that also count while the machine is suspended (CLOCK_BOOTTIME; else monotonic).

    All processes of a host read the same.
    """
    return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()


_CLOCK: Final[Any] = getattr(time, "CLOCK_BOOTTIME", None)

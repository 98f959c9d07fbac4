"""Waiting without sleeping blindly: look often, stop at a deadline, say what was waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_POLL_SECONDS = 0.001
POLL_SECONDS = 0.02

Seen = TypeVar("Seen")


def wait_until(look: Callable[[], Seen], timeout: float, what: str) -> Seen:
    """Call `look` until what it returns is true, and return that; fail the test after `timeout` seconds.

    `what` completes the sentence "waited 5 s for ...". The failure shows what was last seen.
    """
    __tracebackhide__ = True  # the failure is the caller's
    start = time.monotonic()
    pause = FIRST_POLL_SECONDS
    # At least two looks, the last one after the deadline: a machine that stood still is not the code's failure.
    while True:
        late = time.monotonic() - start >= timeout
        if seen := look():
            return seen
        if late:
            pytest.fail(f"waited {timeout:g} s for {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 2, POLL_SECONDS)

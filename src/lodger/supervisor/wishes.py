"""What others want of a supervisor: any thread may say it, and a signal handler, hence no lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, Final

from lodger.processes.clock import clock

DRAIN_EXTRA_SECONDS: Final = 4.0


class Wishes:
    """How one worker is to end, and the pipe that wakes its supervisor to hear of it."""

    def __init__(self, grace_seconds: float) -> None:
        """Nothing is wanted yet."""
        self.is_ending = False
        self.stop_at: float | None = None
        """When a drain is over, by ``clock``; None: nobody wants one."""
        self._patience = grace_seconds + DRAIN_EXTRA_SECONDS
        self._orders: Mapping[str, Any] | None = None
        self.ear, self._mouth = os.pipe()
        """Readable once something was said."""
        for end in (self.ear, self._mouth):
            os.set_blocking(end, False)

    def retire(self) -> None:
        """Have it end when its running jobs have."""
        self.is_ending = True
        with suppress(BlockingIOError):  # it is full: awake it is
            os.write(self._mouth, b"\0")

    def hand_over(self, orders: Mapping[str, Any]) -> None:
        """Have it leave its running jobs to their engines."""
        self._orders = orders
        self.retire()

    def drain(self) -> None:
        """Have it end within the grace and a few seconds, counted from the first time that this is said."""
        if self.stop_at is None:
            self.stop_at = clock() + self._patience
        self.retire()

    @property
    def is_drain(self) -> bool:
        """Whether running jobs have the grace only."""
        return self.stop_at is not None

    def take_orders(self) -> Mapping[str, Any] | None:
        """Return what engines are told that go on alone, once; None when nobody wants that."""
        orders, self._orders = self._orders, None
        return orders

    def rest(self, seconds: float) -> None:
        """Wait so long, or until something is said."""
        wait([self.ear], seconds)

    def hush(self) -> None:
        """Read away what has woken us."""
        with suppress(BlockingIOError):
            while os.read(self.ear, 64):
                pass

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.ear)
        os.close(self._mouth)

"""Keeps jobs from using up a container's CPU quota, which they share with the web server.

Under a quota priorities do not help: when it is used up, the kernel stops the whole container for the rest of the
period (100 ms), the web server included. So processes of jobs are stopped first, for a share of each cycle that is
found by additive increase and multiplicative decrease, as TCP finds its rate (RFC 5681): while the kernel throttles,
they get less of each cycle, else a little more. Jobs that wait for something cause no throttling, and are left alone.

Jobs in threads and coroutines share their process with the engine, which holds locks: nobody stops those.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from lodger.processes.cgroup import cpu_quota, throttled_periods

LOOK_SECONDS: Final = 0.5
CYCLE_SECONDS: Final = 0.1
"""The period of the kernel's own throttling, unless somebody has changed it."""
LEAST: Final = 0.1
MORE: Final = 0.05
LESS: Final = 0.7


class Throttle:
    """Stops and continues process groups in a thread of its own, while they are too much for the quota."""

    def __init__(self, groups: Callable[[], Collection[int]]) -> None:
        """``groups`` returns the groups that run jobs just now."""
        self._groups = groups
        self._share = 1.0
        self._periods = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._main, name="lodger-throttle", daemon=True)

    def start(self) -> None:
        """Begin, where there is a quota."""
        if cpu_quota() is not None:
            self._periods = throttled_periods()
            self._thread.start()

    def stop(self) -> None:
        """End; nothing stays stopped."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _main(self) -> None:
        while not self._over.is_set():
            self._cycles()
            periods = throttled_periods()
            self._share = next_share(self._share, was_throttled=periods > self._periods)
            self._periods = periods

    def _cycles(self) -> None:
        """Let LOOK_SECONDS pass."""
        if self._share >= 1:
            self._over.wait(LOOK_SECONDS)
            return
        for _ in range(round(LOOK_SECONDS / CYCLE_SECONDS)):
            groups = list(self._groups())
            _send(groups, signal.SIGSTOP)
            self._over.wait(CYCLE_SECONDS * (1 - self._share))
            _send(groups, signal.SIGCONT)
            self._over.wait(CYCLE_SECONDS * self._share)


def next_share(share: float, *, was_throttled: bool) -> float:
    """Return the share of each cycle that jobs may run for next."""
    return max(LEAST, share * LESS) if was_throttled else min(1.0, share + MORE)


def _send(groups: Collection[int], number: signal.Signals) -> None:
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, number)

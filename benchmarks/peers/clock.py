"""The one stop-watch of all sides: from the first no-op to the last, inside the process that runs them."""

from __future__ import annotations

import os
import signal
import sys
import time


class Clock:
    """Counts executed no-ops; with the last one it prints the rate and ends the process."""

    def __init__(self, total: int) -> None:
        """Wait for ``total`` no-ops."""
        self._total = total
        self._seen = 0
        self._start = 0.0

    def tick(self) -> None:
        """Count one no-op."""
        if self._seen == 0:
            self._start = time.perf_counter()
        self._seen += 1
        if self._seen == self._total:
            print((self._total - 1) / (time.perf_counter() - self._start), flush=True)
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)  # nothing of the stopping belongs to the figure


def rate(count: int, seconds: float) -> None:
    """Print how many per second."""
    print(count / seconds, flush=True)

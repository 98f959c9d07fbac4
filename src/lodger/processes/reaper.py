"""The duty of a container's first process: to ask how the orphans ended that the kernel gave it as children.

What a job's process has started becomes process 1's child when that is killed (a timeout, a cancel, a ceiling). If
process 1 is ``lodger worker`` itself, nobody else asks, and each stays in the table as a zombie until that is full.
Children of our own are asked by those who started them, long before the second look at which we do.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final

from lodger.processes.table import processes

REAP_SECONDS: Final = 60.0
FIRST_PROCESS: Final = 1


class Reaper:
    """Asks, in a thread, those that have been zombies for two looks on end."""

    def __init__(self, seconds: float = REAP_SECONDS) -> None:
        """Look every ``seconds``."""
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._main, name="lodger-reaper", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def request_stop(self) -> None:
        """Begin to end; returns at once."""
        self._over.set()

    def stop(self) -> None:
        """End."""
        self.request_stop()

    def _main(self) -> None:
        seen: set[int] = set()
        while not self._over.wait(self._seconds):
            now = {one.pid for one in processes().values() if one.is_zombie and one.parent == os.getpid()}
            for pid in now & seen:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            seen = now

"""A lock between processes and threads of one host: flock on a side file, freed by the kernel at death.

flock serves those who wait in the order in which they came, and cannot be told for how long: whoever has to wait has a
thread stand in line for it, and goes away when its patience ends. A holder may be frozen, and no writer may wait for it
for ever.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows has no flock; SQLite's own (unfair) wait remains
    fcntl = None  # type: ignore[assignment]

POLL_SECONDS: Final = 0.005


class FileLock:
    """``with lock.held(seconds):`` waits its turn. Each thread holds a file handle of its own."""

    _local = threading.local()

    def __init__(self, path: str) -> None:
        """Open (and create, mode 0600 as the umask allows) the side file at ``path``."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self.pid = os.getpid()
        self._line = threading.Condition()
        self._stands = False
        self._wanted = False

    @classmethod
    def of(cls, path: str) -> FileLock:
        """Return this thread's lock on ``path`` (a handle inherited through a fork is not used)."""
        locks: dict[str, FileLock] | None = getattr(cls._local, "locks", None)
        if locks is None:
            locks = cls._local.locks = {}
        lock = locks.get(path)
        if lock is None or lock.pid != os.getpid() or not Path(path).exists():
            lock = locks[path] = cls(path)
        return lock

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Hold the lock; after waiting ``seconds`` for it go on without it, into SQLite's own wait and its error."""
        try:
            if fcntl is not None:
                self._take(seconds)
            yield
        finally:
            # Straight into C: the exception that stops a job's thread can arrive wherever Python code begins or goes
            # on, also when the lock has just been given, and a lock that is left behind stops every writer.
            if fcntl is not None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _take(self, seconds: float) -> None:
        with self._line:
            if not self._stands:
                with suppress(BlockingIOError):
                    return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._stands = True
                try:
                    threading.Thread(target=self._stand_in_line, name="lodger-line", daemon=True).start()
                except RuntimeError:  # no thread to be had, or the interpreter ends
                    self._stands = False
                    return self._poll(seconds)
            self._wanted = True
            try:
                self._line.wait_for(lambda: not self._stands, seconds)
            finally:
                self._wanted = False
        return None

    def _poll(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(POLL_SECONDS)
        return None

    def _stand_in_line(self) -> None:
        """Wait for as long as it takes; what comes when nobody wants it any more is given back."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        with self._line:
            self._stands = False
            if not self._wanted:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            self._line.notify_all()

    def __del__(self) -> None:
        """Close the handle of a thread that has ended."""
        with suppress(OSError):
            os.close(self._fd)

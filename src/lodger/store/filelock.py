"""A lock between processes and threads of one host: flock on a side file, freed by the kernel at death."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no flock; SQLite's own (unfair) wait remains
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """``with lock:`` waits its turn. Each thread holds a file handle of its own."""

    _local = threading.local()

    def __init__(self, path: str) -> None:
        """Open (and create, mode 0600 as the umask allows) the side file at ``path``."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self.pid = os.getpid()

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

    def __enter__(self) -> None:
        """Wait for the lock."""
        if fcntl is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        if fcntl is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def __del__(self) -> None:
        """Close the handle of a thread that has ended."""
        with suppress(OSError):
            os.close(self._fd)

"""The roll: which processes of this host share one embedded worker, and which of them carries it.

    carrier            locked by the web process that carries the worker
    web-<pid>          locked by each web process that may carry it; says when it stops
    left-<pid>         locked by an engine that goes on after its web process has been replaced

Files in the runtime directory of the database (see ``wake.directory``), named after host, app, release and queues too,
as two containers may share a directory, and two releases or services a host. What counts is the lock, which the kernel
frees with its process, however that ends; what is written in a file is for its peers. They are POSIX record locks: a
forked child does not hold its parent's, so the children of a web process, or a master that forks web processes, keep
nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lodger.settings import Settings
from lodger.store.database import Database
from lodger.wake.directory import directory_for, make

STOPPING: Final = b"stopping"
TOUCH_SECONDS: Final = 3600.0
"""Cleaners of temporary directories take files that nobody has touched for days."""
MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Peer:
    """Another process of the roll."""

    pid: int
    stopping: bool


class Roll:
    """One process's part in it. Raises OSError or DirectoryRefused where the directory cannot be used."""

    def __init__(self, directory: Path, key: str) -> None:
        """Touch nothing yet; ``key`` names those who share a worker."""
        self.directory = directory
        self.key = key
        self._own: _Locked | None = None
        self._carrier: _Locked | None = None
        self._role = ""
        self._touch_at = 0.0

    @classmethod
    def of(cls, database: Database, settings: Settings, cargo: str) -> Roll:
        """Return the roll of an app on this host; ``cargo`` names what is carried.

        Two services of one app share a worker only if it does the same for both: other queues are another worker.
        """
        shared = (
            *(socket.gethostname(), settings.environment, settings.app, settings.release),
            *(settings.schema, settings.prefix, cargo),
            *(",".join(settings.queues), ",".join(settings.separate_queues)),
        )
        return cls(directory_for(database), hashlib.sha256("\0".join(shared).encode()).hexdigest()[:12])

    def enter(self, role: str = "web") -> None:
        """Be seen by the others."""
        self._role = role
        self.refresh()

    def refresh(self) -> None:
        """See to it that we are seen: somebody may have cleaned up, or looked at us just as we came."""
        if self._own is None or not self._own.is_there():
            self._own = _renewed(self._own, self._path(f"{self._role}-{os.getpid()}"), self.directory)
        if time.monotonic() >= self._touch_at:
            self._touch_at = time.monotonic() + TOUCH_SECONDS
            for held in (self._own, self._carrier):
                if held is not None:
                    held.touch()

    def say_stopping(self) -> None:
        """Let the others know that this process ends."""
        if self._own is not None:
            self._own.write(STOPPING)

    def carry(self) -> bool:
        """Take the carrier's lock, or keep it; False while another process holds it. Call it every few seconds."""
        self.refresh()
        if self._carrier is None or not self._carrier.is_there():  # a lock on a removed file keeps out nobody
            self._carrier = _renewed(self._carrier, self._path("carrier"), self.directory)
            if self._carrier is not None:
                self._carrier.write(str(os.getpid()).encode())
        return self._carrier is not None

    def put_down(self) -> None:
        """Let another process carry."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.close()

    def leave(self) -> None:
        """Be seen no more. Safe twice."""
        self.put_down()
        own, self._own = self._own, None
        if own is not None:
            own.remove()

    def others(self, role: str = "web") -> list[Peer]:
        """Return the other living processes of a role; the files of dead ones are removed."""
        return list(self._others(role))

    def _others(self, role: str) -> Iterator[Peer]:
        prefix = self._path(f"{role}-").name
        for path in self.directory.glob(f"{prefix}*"):
            pid = path.name.removeprefix(prefix)
            if not pid.isdecimal() or int(pid) == os.getpid():
                continue
            said = _said(path)
            if said is not None:
                yield Peer(int(pid), said == STOPPING)

    def _path(self, name: str) -> Path:
        return self.directory / f"{self.key}-{name}"


class _Locked:
    """A file that this process holds a lock on, until it closes *any* descriptor of that file."""

    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file

    def is_there(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def touch(self) -> None:
        os.utime(self._file)

    def write(self, text: bytes) -> None:
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def remove(self) -> None:
        if self.is_there():
            self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        _held.discard((os.getpid(), self._path))
        os.close(self._file)


_held: Final[set[tuple[int, Path]]] = set()
"""What this process holds. The kernel would give it the same lock twice, and free it with the first of them."""


def _renewed(old: _Locked | None, path: Path, directory: Path) -> _Locked | None:
    """Return the lock on what ``path`` leads to now, in place of an old one."""
    if old is not None:
        old.close()
    make(directory)
    return _locked(path)


def _locked(path: Path) -> _Locked | None:
    """Return the file, made and locked; None while somebody else holds it."""
    while (os.getpid(), path) not in _held:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), path.stat()):
                _held.add((os.getpid(), path))
                return _Locked(path, file)
        except (BlockingIOError, PermissionError):
            os.close(file)
            return None
        except FileNotFoundError:
            pass
        os.close(file)  # a peer that took it for a dead one's has removed it between our two steps
    return None


def _said(path: Path) -> bytes | None:
    """Return what the holder of a file has written; None when nobody holds it (then it is removed)."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return os.pread(file, 64, 0)
    else:
        with suppress(OSError):
            path.unlink()
        return None
    finally:
        os.close(file)

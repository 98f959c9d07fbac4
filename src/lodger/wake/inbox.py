"""A listener's wake socket."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from lodger.wake.directory import SUFFIX, make
from lodger.wake.messages import EVERYTHING, decode, merged

# Linux holds 11 datagrams for a reader that is behind (net.unix.max_dgram_qlen is 10) and refuses more. Who
# reads as many as this in one go may have missed some.
MANY: Final = 10
LONGEST_MESSAGE: Final = 65536
UNFINISHED_SECONDS: Final = 60.0


class Inbox:
    """One datagram socket with a file of its own, in a directory of mode 0700."""

    def __init__(self, directory: Path) -> None:
        """Remember where; ``open`` makes it."""
        self._directory = directory
        self._path: Path | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Make the socket, announced by its file. Raises DirectoryRefused or OSError."""
        make(self._directory)
        remove_dead(self._directory)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        unfinished, self._path = self._directory / name, self._directory / f"{name}{SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # Between the file's creation and the socket's readiness a sender would be refused, and take the
        # file for a dead one's: it gets its proper name when it is ready.
        self._socket.bind(str(unfinished))
        unfinished.rename(self._path)

    @property
    def opened(self) -> bool:
        """Whether senders can find us: cleaners of temporary directories may have removed the file."""
        return self._socket is not None and self._path is not None and self._path.exists()

    def fileno(self) -> int:
        """Return what to wait on, or -1."""
        return -1 if self._socket is None else self._socket.fileno()

    def read(self) -> frozenset[str] | None:
        """Return the queues that were announced since the last call, or None. Never waits."""
        messages: list[bytes] = []
        while self._socket is not None and len(messages) < 10 * MANY:
            try:
                messages.append(self._socket.recv(LONGEST_MESSAGE))
            except BlockingIOError:
                break
        if not messages:
            return None
        return EVERYTHING if len(messages) >= MANY else merged(map(decode, set(messages)))

    def close(self) -> None:
        """Close the socket and remove its file."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()
        self.forget()

    def forget(self) -> None:
        """Close our copy of a socket that belongs to the parent of a fork; its file stays."""
        if self._socket is not None:
            self._socket.close()
        self._path = self._socket = None


def remove_dead(directory: Path) -> None:
    """Remove the files of listeners that died: where nobody enqueues, nobody else would."""
    for path in directory.iterdir():
        with suppress(OSError):
            if path.suffix == SUFFIX:
                if is_dead(path):
                    path.unlink()
            elif time.time() - path.stat().st_mtime > UNFINISHED_SECONDS:
                path.unlink()


def is_dead(path: Path) -> bool:
    """Whether a socket file has no socket any more; nothing is sent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED

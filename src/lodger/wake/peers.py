"""Sending to the wake sockets of this host."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from lodger.wake.directory import SUFFIX, DirectoryRefused, check

logger = logging.getLogger(__name__)

LISTING_SECONDS: Final = 0.05  # how long a new listener may stay unseen; a listing costs about 15 us


class Line:
    """A socket connected to one listener, closed with its last reference.

    Never closed by hand: a thread may be about to send on it, and the number of its descriptor could by
    then belong to another connection. One socket for each listener: what one that stands still does not
    read counts against the sending socket's buffer, and would soon keep the others from hearing anything.
    """

    __slots__ = ("path", "socket")

    def __init__(self, path: str) -> None:
        """Connect to the socket at ``path``; raises OSError, ConnectionRefusedError if its owner died."""
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(path)

    def __del__(self) -> None:
        """Close the socket."""
        self.socket.close()


class Peers:
    """The listeners of this host, found by their socket files. Any thread may send."""

    _guard: threading.Lock
    _lines: tuple[Line, ...]
    _list_at: float

    def __init__(self, directory: Path) -> None:
        """Look in ``directory``, when first asked to send."""
        self._directory = directory
        self._refused = False
        self.forget()

    def send(self, message: bytes) -> None:
        """Send ``message`` to every listener; never waits.

        A full buffer is no loss: that listener has so much to read that it will look at everything (see
        ``Inbox.read``), and it has not begun to.
        """
        now = time.monotonic()
        if now >= self._list_at:
            self._list(now)
        for line in self._lines:
            try:
                line.socket.send(message)
            except BlockingIOError:
                pass
            except OSError:  # it was closed; the next listing drops it
                self._list_at = min(self._list_at, now)

    def close(self) -> None:
        """Send nothing any more."""
        with self._guard:
            self._lines, self._list_at = (), float("inf")

    def forget(self) -> None:
        """Begin anew, with sockets of our own."""
        self._guard = threading.Lock()
        self._lines = ()
        self._list_at = 0.0

    def _list(self, now: float) -> None:
        with self._guard:
            if now < self._list_at:  # another thread just did
                return
            self._list_at = now + LISTING_SECONDS
            known = {line.path: line for line in self._lines if not _hung_up(line)}
            self._lines = tuple(line for path in self._look() if (line := known.get(path) or _connected(path)))

    def _look(self) -> list[str]:
        try:
            check(self._directory)
            with os.scandir(self._directory) as entries:
                return [entry.path for entry in entries if entry.name.endswith(SUFFIX)]
        except DirectoryRefused as refused:
            if not self._refused:
                logger.warning("workers of this host learn of new runs by polling only: %s", refused)
            self._refused = True
        except OSError:  # mostly: no listener was ever here
            pass
        return []


def _connected(path: str) -> Line | None:
    try:
        return Line(path)
    except ConnectionRefusedError:  # it died; names are never used again, so none is removed in error
        with suppress(OSError):
            Path(path).unlink()
    except OSError:  # gone meanwhile, or no socket
        pass
    return None


def _hung_up(line: Line) -> bool:
    """Whether the listener closed its socket (a second connect is refused then)."""
    return line.socket.connect_ex(line.path) != 0

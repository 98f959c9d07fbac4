"""Hearing that the web server is told to stop, without taking its signals away.

A server may keep lifespan shutdown waiting until its last connection is closed, so a worker that waited for that would
claim runs in a service that is going down. Our handler comes before the server's, writes one byte, and calls it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final, TypeAlias

PENDING_CALL: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
HEARD: Final = (signal.SIGTERM, signal.SIGINT)
HEARD_OF_GUNICORN: Final = (*HEARD, signal.SIGQUIT)
"""Its master has its processes end at once by SIGQUIT. Elsewhere that dumps stacks, and nothing ends."""
_pending: Final[list[Any]] = []
"""What C may yet call must not be freed, not even by itself: a few per process."""
Handler: TypeAlias = Callable[[int, FrameType | None], Any]


class SignalChain:
    """Writes to a descriptor when this process is told to stop."""

    def __init__(self, file: int) -> None:
        """``file``: the writing end of a pipe; a handler may do no more than write, as locks could be held."""
        self._file = file
        self._ours: dict[signal.Signals, tuple[Handler, Handler]] = {}

    @property
    def heard(self) -> tuple[str, ...]:
        """Return the names of the signals that are heard."""
        return tuple(number.name for number in self._ours)

    def install(self) -> None:
        """Come before the handlers that are there now: at once in the main thread, else as soon as it gets to it.

        Where a signal ends the process at once (no handler) it is left to do so, and so is one that is ignored.
        """
        in_main_thread(self._install)

    def _install(self) -> None:
        for number in HEARD_OF_GUNICORN if "gunicorn.arbiter" in sys.modules else HEARD:
            before = signal.getsignal(number)
            if callable(before):
                ours = self._chained(before)
                signal.signal(number, ours)
                self._ours[number] = (ours, before)

    def remove(self) -> None:
        """Put back what was there, unless somebody has changed it since. Nothing is written from now on."""
        self._file = -1
        in_main_thread(self._remove)

    def _remove(self) -> None:
        for number, (ours, before) in self._ours.items():
            if signal.getsignal(number) is ours:
                signal.signal(number, before)
        self._ours.clear()

    def _chained(self, before: Handler) -> Handler:
        owner = os.getpid()

        def handle(number: int, frame: FrameType | None) -> None:
            if os.getpid() == owner:  # not in a child that the app has forked
                with suppress(OSError):
                    os.write(self._file, b"\0")
            before(number, frame)

        return handle


def in_main_thread(call: Callable[[], None]) -> None:
    """Call now in the main thread, else have it called there between two steps of whatever it does.

    Only the main thread may set handlers, and a WSGI server that loaded the app before it forked gives us no other
    moment there. Py_AddPendingCall is the interpreter's own way (CPython; elsewhere nothing happens).
    """
    if threading.current_thread() is threading.main_thread():
        call()
        return

    def pending(_: Any) -> int:
        with suppress(Exception):  # the server's code is not to be interrupted by an error of ours
            call()
        return 0

    if hasattr(ctypes, "pythonapi"):
        _pending.append(PENDING_CALL(pending))
        ctypes.pythonapi.Py_AddPendingCall(_pending[-1], None)

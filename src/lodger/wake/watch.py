"""The listener's thread: waits on the wake socket and the LISTEN connection together."""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from lodger.store.database import Database
from lodger.wake.directory import DirectoryRefused
from lodger.wake.ear import Ear, Pace
from lodger.wake.inbox import Inbox
from lodger.wake.messages import EVERYTHING, merged

logger = logging.getLogger(__name__)

# After a wake, what follows is collected for this long: a burst of enqueues costs 500 wakes a second, not one
# each. The first after a pause is not delayed, and what is not read stays in the socket.
REST_SECONDS: Final = 0.002
ERROR_REST_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0


class Bell:
    """Gets the thread out of its wait. Rung from other threads, so it is closed with its last reference."""

    def __init__(self) -> None:
        """Open a pipe."""
        self._heard, self._pull = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._pull, False)

    def ring(self) -> None:
        """Make ``fileno`` readable."""
        with suppress(BlockingIOError):  # full: it rings already
            os.write(self._pull, b"!")

    def quiet(self) -> None:
        """Take back all rings so far."""
        with suppress(BlockingIOError):
            os.read(self._heard, 4096)

    def fileno(self) -> int:
        """Return what to wait on."""
        return self._heard

    def __del__(self) -> None:
        """Close the pipe."""
        os.close(self._heard)
        os.close(self._pull)


class Watch:
    """One life of the thread, from ``start`` to ``stop``."""

    def __init__(
        self, inbox: Inbox, database: Database | None, pace: Pace, on_wake: Callable[[frozenset[str]], None]
    ) -> None:
        """``database`` is the one to LISTEN on, or None."""
        self._bell: Bell | None = Bell()
        self._inbox = inbox
        self._ear = None if database is None else Ear(database, self._bell.ring, pace)
        self._pace = pace
        self._on_wake = on_wake
        self._check_at = 0.0
        self._complained = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def hears(self) -> frozenset[str]:
        """Return what works at the moment: "socket", "notify"."""
        ways = {"socket"} if self._inbox.opened else set()
        if self._ear is not None and self._ear.state in ("hearing", "echoing"):
            ways.add("notify")
        return frozenset(ways)

    def start(self) -> None:
        """Open the socket, then start the thread."""
        self._check()
        self._thread = threading.Thread(target=self._run, name="lodger-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it, unless this is it."""
        self._stopping = True
        thread, bell = self._thread, self._bell
        if thread is None or bell is None or thread is threading.current_thread():
            return
        bell.ring()
        thread.join(STOP_SECONDS)

    def forget(self) -> None:
        """Close a forked child's copies; the thread is not here, and nothing of the parent's is touched."""
        self._thread = self._bell = None
        self._inbox.forget()
        if self._ear is not None:
            self._ear.forget()

    def _run(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._turn()
                except Exception:  # a listener that dies is a worker that only polls
                    logger.exception("the wake-up failed, trying again")
                    self._wait([], ERROR_REST_SECONDS)
        finally:
            self._inbox.close()
            if self._ear is not None:
                self._ear.close()

    def _turn(self) -> None:
        """Wait for something, and pass on what it was."""
        deadline = self._check_at if self._ear is None else min(self._check_at, self._ear.deadline)
        self._wait([self._inbox, self._ear], deadline - time.monotonic())
        if self._stopping:
            return
        assert self._bell is not None
        self._bell.quiet()
        heard = [self._inbox.read(), None if self._ear is None else self._ear.turn()]
        if time.monotonic() >= self._check_at:
            heard.append(self._check())
        queues = [one for one in heard if one is not None]
        if queues:
            self._tell(merged(queues))
            self._wait([], REST_SECONDS)

    def _wait(self, sources: list[Inbox | Ear | None], seconds: float) -> None:
        """Wait until a source is readable, the bell rings or ``seconds`` have passed."""
        poll = select.poll()
        for source in [self._bell, *sources]:
            if source is not None and (fd := source.fileno()) >= 0:
                poll.register(fd, select.POLLIN)
        poll.poll(max(0, math.ceil(seconds * 1000)))

    def _check(self) -> frozenset[str] | None:
        """Open the socket anew if its file is gone; what was sent meanwhile was missed."""
        self._check_at = time.monotonic() + self._pace.check
        if self._inbox.opened:
            return None
        self._inbox.close()
        try:
            self._inbox.open()
        except (DirectoryRefused, OSError) as refused:
            self._inbox.close()
            if not self._complained:
                logger.warning("no wake socket, so processes of this host wake us by polling only: %s", refused)
            self._complained = True
            return None
        self._complained = False
        return EVERYTHING

    def _tell(self, queues: frozenset[str]) -> None:
        try:
            self._on_wake(queues)
        except Exception:  # the callback's failure is not ours
            logger.exception("on_wake failed")

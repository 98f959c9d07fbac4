"""The worker's side: calls back as soon as runs were enqueued."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from lodger.processes.forking import forget_after_fork
from lodger.store.database import Database
from lodger.wake.directory import directory_for
from lodger.wake.ear import Pace
from lodger.wake.inbox import Inbox
from lodger.wake.watch import Watch


class Listener:
    """Calls ``on_wake`` with the queues that have new runs; with none named, look at all of them."""

    _guard: threading.Lock
    _watch: Watch | None

    def __init__(
        self,
        database: Database,
        on_wake: Callable[[frozenset[str]], None],
        *,
        listen: bool = True,
        runtime_dir: Path | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``on_wake`` is called from the listener's thread and must return at once (set an event).

        ``listen``: on PostgreSQL, keep a LISTEN connection. ``runtime_dir`` is where the sockets are.
        """
        self._database = database
        self._on_wake = on_wake
        self._listen = listen and database.dialect == "postgresql"
        self._directory = directory_for(database, runtime_dir)
        self._pace = pace or Pace()
        self._inherited: list[Watch] = []
        self._at_exit: weakref.finalize[[], Listener] | None = None
        self._begin()
        forget_after_fork(self)

    @property
    def hears(self) -> frozenset[str]:
        """Return what works at the moment: "socket", "notify". For health pages and tests."""
        watch = self._watch
        return frozenset() if watch is None else watch.hears

    def start(self) -> None:
        """Open the socket, so that what is announced from now on is heard, and start the thread.

        The LISTEN connection follows by itself; when it is proven, ``on_wake`` is called for all queues.
        """
        with self._guard:
            if self._watch is not None:
                return
            self._watch = Watch(
                Inbox(self._directory), self._database if self._listen else None, self._pace, self._on_wake
            )
            self._watch.start()
            # A process that ends without stop() takes its socket's file with it.
            self._at_exit = weakref.finalize(self, self._watch.stop)

    def stop(self) -> None:
        """Stop and wait until it has; safe twice, before ``start`` and from ``on_wake``."""
        with self._guard:
            watch, self._watch = self._watch, None
        if watch is not None:
            if self._at_exit is not None:
                self._at_exit.detach()
            watch.stop()

    def forget(self) -> None:
        """Be stopped in a forked child, and close its copies of the parent's socket and connection."""
        if self._watch is not None:
            self._watch.forget()
            self._inherited.append(self._watch)
        self._begin()

    def _begin(self) -> None:
        self._guard = threading.Lock()
        self._watch = None

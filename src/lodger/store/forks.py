"""A fork with databases open: what the parent has open, its child must not have.

A server's connection is forgotten in the child without a word: a goodbye would end the parent's. An open SQLite
file is worse. The kernel gives the child none of the parent's locks, but SQLite keeps count of them per process,
and with a handle that came along it believes to hold them: the child's own connections lock nothing, another
process deletes the log that they write to, and what they have committed is lost. So every file is closed before
the fork, when no thread is at work in it, and whatever came along all the same (a server that forks in C calls
nobody before it) is closed in the child.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

FORK_SECONDS: Final = 5.0
"""How long a fork waits for threads at work in SQLite; a job may hold its transaction open for longer."""


class Forkable(Protocol):
    """What holds connections."""

    @property
    def is_file(self) -> bool:
        """Whether they are handles of a SQLite file."""

    def close_idle(self) -> None:
        """Close those that nobody uses."""

    def forget(self) -> None:
        """Begin anew in a child."""


class Handle(Protocol):
    """A connection in use."""

    def invalidate(self) -> None:
        """Close it."""


class Forks:
    """Who is at work in a SQLite file, and how this process forks."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._all: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self._changed = threading.Condition()
        self._at_work: dict[int, list[Handle]] = {}
        self._waiting = 0

    def add(self, one: Forkable) -> None:
        """Have ``one`` follow every fork as long as it lives."""
        self._all.add(one)

    @contextmanager
    def at_work(self) -> Iterator[list[Handle]]:
        """Hold up forks meanwhile; the handle in use goes into the list. A fork that waits already comes first."""
        me = threading.get_ident()
        with self._changed:
            while self._waiting and me not in self._at_work:
                self._changed.wait()
            handles = self._at_work.setdefault(me, [])
        try:
            yield handles
        finally:
            with self._changed:
                if not handles:
                    self._at_work.pop(me, None)
                    self._changed.notify_all()

    def before(self) -> None:
        """Wait for those at work, let nobody begin until the fork is over, and close what is idle."""
        self._changed.acquire()
        files = [one for one in list(self._all) if one.is_file]
        if files:
            self._waiting += 1
            me = threading.get_ident()
            self._changed.wait_for(lambda: not self._at_work.keys() - {me}, FORK_SECONDS)
            self._waiting -= 1
        for one in files:
            one.close_idle()

    def in_parent(self) -> None:
        """Let everybody go on."""
        self._changed.notify_all()
        self._changed.release()

    def in_child(self) -> None:
        """Forget the parent's threads; close what came along of the files."""
        self._changed = threading.Condition()
        self._waiting = 0
        # Handles of other threads stay as they are: these may have been inside of SQLite, behind its own locks.
        for handle in self._at_work.pop(threading.get_ident(), []):
            handle.invalidate()
        self._at_work = {}
        for one in list(self._all):
            one.forget()


forks: Final = Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=forks.before, after_in_parent=forks.in_parent, after_in_child=forks.in_child)

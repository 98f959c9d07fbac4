"""Starting the embedded worker from code that no server calls back: a WSGI app says so where it is imported.

Which process is that? With `gunicorn --preload` it is a master that serves nothing and forks the web processes; with a
reloader (`flask run --debug`) one that starts the web process as another program; with most others it is a web process
itself. Only time tells:

    pending ──nothing forked for a moment──▶ started ◀──────────────────────────┐
       │                                        │                               │
       │                           a child stands for election    no child stands for election
       │                                        ▼                               │
       └────────────────forks────────────────▶ master ──────────────────────────┘

What a master forks is pending, and so is what a process forks in its first half minute: it may turn out to be a master.
A helper does not stand for election, so it neither carries a worker nor costs its parent the one it has: most are
another program soon (subprocess), or children of multiprocessing. Only a child of a plain os.fork() that lives on and
was forked that early is taken for a web process; its parent starts again when it has gone.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Final, Literal, TypeAlias

from lodger.placement import stack
from lodger.placement.embedded import Embedded

State: TypeAlias = Literal["idle", "pending", "started", "master", "ended"]

SETTLE_SECONDS: Final = 0.5
YOUNG_SECONDS: Final = 30.0
"""A preloading master that imports other things for longer than SETTLE_SECONDS has started: it gives up again."""
LOOK_SECONDS: Final = 10.0


class Serving:
    """Starts one Embedded per web process."""

    def __init__(self, make: Callable[[], Embedded | None]) -> None:
        """``make`` returns None when nothing is to be started, and raises what is wrong with the settings."""
        self._make = make
        self._state: State = "idle"
        self._since = 0.0
        self._is_helper: Callable[[], bool] = lambda: False
        self._had_children = False
        self._embedded: Embedded | None = None
        self._timer: threading.Timer | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._has_forked, after_in_child=self._is_forked)
        atexit.register(self.stop)

    def begin(self) -> None:
        """Start in a moment, unless this process turns out to serve nothing. Raises at once what is wrong."""
        if self._make() is not None:
            self._pend()

    def stop(self, *, drain: bool = False) -> None:
        """End what was started; nothing happens before, or twice."""
        self._cancel()
        self._put_down("ended", drain=drain)

    def _put_down(self, state: State, *, drain: bool) -> None:
        embedded, self._embedded = self._embedded, None
        self._state = state
        if embedded is not None:
            embedded.stop(drain=drain)

    def _pend(self) -> None:
        self._state = "pending"
        self._in(SETTLE_SECONDS, self._start)

    def _in(self, seconds: float, then: Callable[[], None]) -> None:
        self._cancel()
        self._timer = threading.Timer(seconds, then)
        self._timer.name = "lodger-serving"
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _start(self) -> None:
        if self._state not in {"pending", "master"}:
            return
        embedded = None if self._is_helper() or is_reloader() else self._make()
        if embedded is None:
            self._state = "idle"
            return
        self._embedded = embedded
        self._state = "started"
        self._since = time.monotonic()
        embedded.start()
        self._in(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """See whether this process is what it was taken for."""
        if self._state not in {"started", "master"}:
            return
        if is_reloader():
            self.stop(drain=True)
        elif self._has_children():
            self._had_children = True
            self._put_down("master", drain=True)
        elif self._had_children:  # a master, most likely, whose web processes are just being replaced
            self._had_children = False
        else:
            self._start()
        if self._state == "master" or self._is_young():
            self._in(LOOK_SECONDS, self._look)

    def _has_children(self) -> bool:
        """Whether what this process has forked stands for election; its siblings do, too, and tell nothing."""
        asked = self._embedded or self._make()
        return asked is not None and asked.has_children()

    def _has_forked(self) -> None:
        """In the parent, after a fork."""
        if self._state == "pending":
            self._state = "master"
            self._in(LOOK_SECONDS, self._look)
        elif self._is_young():
            self._in(LOOK_SECONDS, self._look)

    def _is_forked(self) -> None:
        """In the child, after a fork: only the state was copied, no thread was."""
        is_web = self._state in {"pending", "master"} or self._is_young()
        self._embedded = None
        self._timer = None
        self._had_children = False
        self._state = "idle"
        if is_web:
            before = parent_process()  # multiprocessing will have changed it by the time that we may start
            self._is_helper = lambda: parent_process() is not before
            self._pend()

    def _is_young(self) -> bool:
        return self._state == "started" and time.monotonic() - self._since < YOUNG_SECONDS


def is_reloader() -> bool:
    """Whether this process waits for another one that serves, to start it again when code has changed.

    It has the old code, and imports the app before it is a reloader. Werkzeug and Django name that function alike.
    """
    return any(stack.runs(one, "restart_with_reloader") for one in ("werkzeug._reloader", "django.utils.autoreload"))

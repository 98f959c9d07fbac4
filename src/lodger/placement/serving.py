"""Starting the embedded worker from code that no server calls back: a WSGI app says so where it is imported.

Which process is that? With `gunicorn --preload` it is a master that serves nothing and forks the web processes; with
most others it is a web process itself. Only time tells:

    pending ──nothing forked for a moment──▶ started      a web process
       │
       └──────forks────▶ master    its children are pending; it starts only if none of them stands for election

A process that has been started for long and forks (multiprocessing, say) keeps its worker; the child has none.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from lodger.placement.embedded import Embedded

State: TypeAlias = Literal["idle", "pending", "started", "master", "ended"]

SETTLE_SECONDS: Final = 0.5
YOUNG_SECONDS: Final = 30.0
"""A preloading master that imports other things for longer than SETTLE_SECONDS has started: it gives up again."""
MASTER_SECONDS: Final = 10.0


class Serving:
    """Starts one Embedded per web process."""

    def __init__(self, make: Callable[[], Embedded | None]) -> None:
        """``make`` returns None when nothing is to be started, and raises what is wrong with the settings."""
        self._make = make
        self._state: State = "idle"
        self._since = 0.0
        self._is_proven = False
        self._embedded: Embedded | None = None
        self._timer: threading.Timer | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._has_forked, after_in_child=self._is_forked)
        atexit.register(self.stop)

    def begin(self) -> None:
        """Start in a moment, unless this process turns out to be a master. Raises at once what is wrong."""
        if self._make() is not None:
            self._pend()

    def stop(self, *, drain: bool = False) -> None:
        """End what was started; nothing happens before, or twice."""
        embedded, self._embedded = self._embedded, None
        self._cancel()
        self._state = "ended"
        if embedded is not None:
            embedded.stop(drain=drain)

    def _pend(self) -> None:
        self._state = "pending"
        self._in(SETTLE_SECONDS, self._start)

    def _in(self, seconds: float, then: Callable[[], None]) -> None:
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
        embedded = self._make()
        if embedded is not None:
            self._embedded = embedded
            self._state = "started"
            self._since = time.monotonic()
            embedded.start()

    def _has_forked(self) -> None:
        """In the parent, after a fork."""
        if self._is_young():
            self._cancel()
            self._state = "master"
            embedded, self._embedded = self._embedded, None
            if embedded is not None:
                threading.Thread(target=embedded.stop, kwargs={"drain": True}, daemon=True).start()
            self._in(MASTER_SECONDS, self._start_if_alone)

    def _is_forked(self) -> None:
        """In the child, after a fork: only the state was copied, no thread was."""
        is_web = self._is_young() or self._state == "master"
        self._embedded = None
        self._timer = None
        self._state = "idle"
        if is_web:
            self._pend()

    def _is_young(self) -> bool:
        if self._is_proven:  # what it forks are helpers, however soon
            return False
        return self._state == "pending" or (self._state == "started" and time.monotonic() - self._since < YOUNG_SECONDS)

    def _start_if_alone(self) -> None:
        """What was forked was no web process, if none of it stands for election: then we are one ourselves."""
        embedded = self._make() if self._state == "master" else None
        if embedded is None:
            return
        if embedded.has_siblings():
            self._in(MASTER_SECONDS, self._start_if_alone)
        else:
            self._is_proven = True
            self._start()

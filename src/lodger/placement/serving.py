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
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from lodger.placement.embedded import Embedded

logger: Final = logging.getLogger("lodger.placement")

State: TypeAlias = Literal["idle", "pending", "started", "master", "ended"]

SETTLE_SECONDS: Final = 0.5
YOUNG_SECONDS: Final = 30.0
"""A preloading master that imports other things for longer than SETTLE_SECONDS has started: it gives up again."""
MASTER_SECONDS: Final = 10.0


class Serving:
    """Starts one Embedded per web process."""

    def __init__(self, make: Callable[[], Embedded], has_candidates: Callable[[], bool]) -> None:
        """``has_candidates``: whether any other process of this host stands for election."""
        self._make = make
        self._has_candidates = has_candidates
        self._state: State = "idle"
        self._since = 0.0
        self._embedded: Embedded | None = None
        self._timer: threading.Timer | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_parent=self._has_forked, after_in_child=self._is_forked)
        atexit.register(self.stop)

    def begin(self) -> None:
        """Start in a moment, unless this process turns out to be a master."""
        if self._state == "idle":
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
        self._state = "started"
        self._since = time.monotonic()
        try:
            self._embedded = self._make()
            self._embedded.start()
        except Exception:  # nobody else would tell: this is a thread
            logger.exception("the embedded worker does not start")

    def _has_forked(self) -> None:
        """In the parent, after a fork."""
        if self._is_young():
            self._cancel()
            self._state = "master"
            embedded, self._embedded = self._embedded, None
            if embedded is not None:
                threading.Thread(target=embedded.stop, kwargs={"drain": True}, daemon=True).start()
            self._in(MASTER_SECONDS, self._start_if_nobody_does)

    def _is_forked(self) -> None:
        """In the child, after a fork: only the state was copied, no thread was."""
        is_web = self._is_young() or self._state == "master"
        self._embedded = None
        self._timer = None
        self._state = "idle"
        if is_web:
            self._pend()

    def _is_young(self) -> bool:
        return self._state == "pending" or (
            self._state == "started" and time.monotonic() - self._since < YOUNG_SECONDS
        )

    def _start_if_nobody_does(self) -> None:
        if self._state == "master" and not self._has_candidates():
            self._start()

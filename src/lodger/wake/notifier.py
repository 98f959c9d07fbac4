"""NOTIFY for the workers of other hosts, from a thread and a connection of its own.

Not in the enqueue itself: a commit with NOTIFY takes a lock of the whole server, which cuts eight
enqueuers to a third.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lodger.store.database import Database
from lodger.trouble import backoff
from lodger.wake.debounce import Debounce
from lodger.wake.messages import notify_queues, payloads
from lodger.wake.postgres import abandon, connect, reason

if TYPE_CHECKING:
    from psycopg import Connection

logger = logging.getLogger(__name__)

WINDOW_SECONDS: Final = 0.1
IDLE_SECONDS: Final = 300.0  # an unused connection is given back to the server after this
FIRST_RETRY_SECONDS: Final = 0.2
LAST_RETRY_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 1.0


class Notifier:
    """Sends what is offered, each queue at most once per window. The thread starts with the first offer."""

    _changed: threading.Condition
    _debounce: Debounce
    _thread: threading.Thread | None
    _connection: Connection[Any] | None
    _closed: bool
    _failures: int

    def __init__(self, database: Database) -> None:
        """Open nothing yet."""
        self._database = database
        self._inherited: list[Connection[Any]] = []
        self._begin()

    def offer(self, queues: Collection[str]) -> None:
        """Have ``queues`` notified: at once, or when their window ends. Never waits for the database."""
        waiting = self._debounce.waiting
        # The usual case under load, without the lock. Right, because the thread takes a queue out before it
        # sends: whoever finds it waiting had committed before the sending began.
        if self._closed or all(queue in waiting for queue in queues):
            return
        with self._changed:
            self._debounce.offer(queues, time.monotonic())
            self._stir()

    def claim(self, queues: Collection[str]) -> list[str]:
        """Return those of ``queues`` that the caller is to notify now itself; the others are offered."""
        with self._changed:
            free = self._debounce.claim(queues, time.monotonic())
            if len(free) < len(queues):
                self._stir()
            return free

    def close(self) -> None:
        """Send what waits, without its window, for a second at most; then end the thread."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    def forget(self) -> None:
        """Begin anew in a forked child, where the thread is not and the connection not ours."""
        if self._connection is not None:
            abandon(self._connection)
            self._inherited.append(self._connection)
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._debounce = Debounce(WINDOW_SECONDS)
        self._thread = None
        self._connection = None
        self._closed = False
        self._failures = 0

    def _stir(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="lodger-notify", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while (queues := self._next()) is not None:
            try:
                self._send(queues)
            except Exception as error:  # noqa: BLE001 - whatever it was, polling goes on and so do we
                self._failed(queues, error)
        self._hang_up()

    def _next(self) -> list[str] | None:
        """Wait until queues are due and return them; none: nothing came for long; None: the end."""
        with self._changed:
            idle_at = time.monotonic() + IDLE_SECONDS
            while True:
                now = time.monotonic()
                due = self._debounce.take(now, all_of_them=self._closed)
                if due or (self._connection is not None and now >= idle_at):
                    return due
                if self._closed:
                    return None
                at = self._debounce.next_at
                if at is None and self._connection is not None:
                    at = idle_at
                self._changed.wait(None if at is None else max(0.0, at - now))

    def _send(self, queues: list[str]) -> None:
        if not queues:
            self._hang_up()
            return
        if self._connection is not None:
            with suppress(Exception):  # the server or a pooler may end idle sessions: no fault, but no news to us yet
                self._execute(self._connection, queues)
                return
            self._hang_up()
        self._connection = connect(self._database, "notify")
        self._execute(self._connection, queues)
        if self._failures:
            logger.info("workers of other hosts are notified again")
        self._failures = 0

    def _execute(self, connection: Connection[Any], queues: list[str]) -> None:
        sql, _ = notify_queues.render("postgresql", self._database.tables, "pyformat")
        connection.execute(sql, {"queues": payloads(queues)})

    def _failed(self, queues: list[str], error: Exception) -> None:
        self._hang_up()
        if not self._failures:
            logger.warning("workers of other hosts learn of new runs by polling for now: %s", reason(error))
        pause = backoff(self._failures, FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS) * random.uniform(0.5, 1.0)
        self._failures += 1
        with self._changed:
            if not self._closed:  # one try is all that an ending process waits for
                self._debounce.put_back(queues, time.monotonic() + pause)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

"""The LISTEN connection of a listener: kept alive, proven not to be deaf.

    asleep ──> connecting ──> proving ──> hearing <──> echoing
      ^            │             │           │            │
      └────────────┴─────────────┴───────────┴────────────┘  on any failure, for a while

A pooler in transaction mode answers LISTEN with success and never delivers anything. So each new connection is
proven by a notification from *another* connection: from its own the pooler would let it through. From then
on it echoes on its own, which needs no second connection and finds what the network lost. Connecting can
block for seconds (names, handshakes): a thread does it, and ends.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lodger.store.database import Database
from lodger.store.faults import is_transient
from lodger.trouble import backoff
from lodger.wake.attempt import Attempt
from lodger.wake.messages import EVERYTHING, channel, decode, merged
from lodger.wake.postgres import abandon, connect, reason

if TYPE_CHECKING:
    from psycopg import Connection

logger = logging.getLogger(__name__)

State = Literal["asleep", "connecting", "proving", "hearing", "echoing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How patient the listener is, in seconds."""

    check: float = 30.0  # between two echoes, and between two looks whether the socket's file is there
    answer: float = 5.0  # for an echo to come back
    first_retry: float = 1.0
    last_retry: float = 60.0
    hopeless_retry: float = 600.0  # after a LISTEN that was refused or deaf: it will not pass by itself


class Ear:
    """Used by the listener's thread alone. ``turn`` whenever ``fileno`` is readable or ``deadline`` is past."""

    def __init__(self, database: Database, ring: Callable[[], None], pace: Pace) -> None:
        """``ring`` is called, from another thread, when a turn is due."""
        self.state: State = "asleep"
        self.deadline = 0.0
        self._database = database
        self._ring = ring
        self._pace = pace
        self._channel = channel(database.tables)
        self._echo = channel(database.tables, f"_{secrets.token_hex(8)}")
        self._attempt: Attempt | None = None
        self._connection: Connection[Any] | None = None
        self._failures = 0
        self._complaint = ""

    def fileno(self) -> int:
        """Return what to wait on, or -1."""
        return -1 if self._connection is None else self._connection.fileno()

    def turn(self) -> frozenset[str] | None:
        """Do what can be done without waiting; return the queues that were heard of, or None."""
        try:
            if self.state == "asleep":
                self._try_again()
                return None
            if self.state == "connecting":
                return self._take_over()
            return self._listen()
        except Exception as error:  # noqa: BLE001 - whatever it was: polling goes on, and we try again
            self._failed(error)
            return None

    def close(self) -> None:
        """Close the connection, also one that is still being made."""
        if self._attempt is not None:
            self._attempt.abandon()
        if self._connection is not None:
            self._connection.close()
        self._attempt = self._connection = None
        self.state = "asleep"

    def forget(self) -> None:
        """Close a forked child's copy of the connection; keep this object (see ``abandon``)."""
        if self._connection is not None:
            abandon(self._connection)

    def _try_again(self) -> None:
        if time.monotonic() >= self.deadline:
            self.state, self.deadline = "connecting", float("inf")
            self._attempt = Attempt(self._open, self._ring)

    def _open(self) -> Connection[Any]:
        """Return a listening connection and have its proof sent. In the attempt's thread."""
        connection = connect(self._database, "listen")
        try:
            connection.execute(f'LISTEN "{self._channel}"; LISTEN "{self._echo}"')
            with connect(self._database, "listen proof") as other:
                other.execute("SELECT pg_notify(%s, '')", (self._echo,))
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_over(self) -> frozenset[str] | None:
        assert self._attempt is not None
        if not self._attempt.done:
            return None
        attempt, self._attempt = self._attempt, None
        self._connection = attempt.result()
        self._connection.pgconn.nonblocking = 1
        self.state, self.deadline = "proving", time.monotonic() + self._pace.answer
        return self._listen()  # it may all be here by now

    def _listen(self) -> frozenset[str] | None:
        heard = [self._heard(name, payload) for name, payload in self._received()]
        if time.monotonic() >= self.deadline:
            self._at_deadline()
        queues = [one for one in heard if one is not None]
        return merged(queues) if queues else None

    def _received(self) -> list[tuple[str, bytes]]:
        assert self._connection is not None
        pg = self._connection.pgconn
        pg.consume_input()
        while not pg.is_busy() and pg.get_result() is not None:
            pass  # of an echo; should it have failed, it will be missed
        received = []
        while (note := pg.notifies()) is not None:
            received.append((note.relname.decode(), note.extra))
        return received

    def _heard(self, name: str, payload: bytes) -> frozenset[str] | None:
        if name != self._echo:
            return decode(payload)
        proven, self.state = self.state == "proving", "hearing"
        self.deadline = time.monotonic() + self._pace.check
        if not proven:
            self._failures = 0  # only now: a server that ends sessions at once is not to be pressed
            return None
        if self._complaint:
            logger.info("LISTEN works again")
        self._complaint = ""
        return EVERYTHING  # what was notified before was missed

    def _at_deadline(self) -> None:
        if self.state == "proving":
            raise Deaf
        if self.state == "echoing":
            raise TimeoutError
        assert self._connection is not None
        self._connection.pgconn.send_query(f"SELECT pg_notify('{self._echo}', '')".encode())
        self._connection.pgconn.flush()
        self.state, self.deadline = "echoing", time.monotonic() + self._pace.answer

    def _failed(self, error: Exception) -> None:
        self.close()
        if isinstance(error, Deaf) or not (isinstance(error, OSError) or is_transient("postgresql", error)):
            self.deadline = time.monotonic() + self._pace.hopeless_retry
            self._complain(
                "LISTEN does not work with this database URL (a pooler in transaction mode?), polling instead", error
            )
            return
        pause = backoff(self._failures, self._pace.first_retry, self._pace.last_retry) * random.uniform(0.5, 1.0)
        self._failures += 1
        self.deadline = time.monotonic() + pause
        self._complain("LISTEN was lost, polling until it is back", error)

    def _complain(self, what: str, error: Exception) -> None:
        if self._complaint != what:
            logger.warning("%s: %s", what, reason(error))
        self._complaint = what


class Deaf(Exception):
    """A notification that was sent did not arrive."""

"""Connecting without waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


class Attempt:
    """One try to connect, in a thread of its own."""

    def __init__(self, connecting: Callable[[], Connection[Any]], ring: Callable[[], None]) -> None:
        """Begin at once; ``ring`` when ``done``."""
        self.done = False
        self._connecting = connecting
        self._ring = ring
        self._guard = threading.Lock()
        self._abandoned = False
        self._connection: Connection[Any] | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, name="lodger-listen-connect", daemon=True).start()

    def result(self) -> Connection[Any]:
        """Return the connection, or raise what prevented it."""
        if self._connection is None:
            raise self._error or ConnectionError
        return self._connection

    def abandon(self) -> None:
        """Have the connection closed as soon as it is there."""
        with self._guard:
            self._abandoned = True
            if self._connection is not None:
                self._connection.close()

    def _run(self) -> None:
        try:
            connection, error = self._connecting(), None
        except Exception as raised:  # noqa: BLE001 - handed to who asks for the result
            connection, error = None, raised
        with self._guard:
            self._connection, self._error, self.done = connection, error, True
            if self._abandoned and connection is not None:
                connection.close()
        self._ring()

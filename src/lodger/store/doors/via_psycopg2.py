"""psycopg2. Its own cursor class, so that rows are tuples whatever the app made the default."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lodger.store.database import Database
from lodger.store.doors.base import Bound, SyncDoor, refuse_closed
from lodger.store.doors.drivers import place_of


class Psycopg2Door(SyncDoor):
    """psycopg2's connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, tx.closed)
        super().__init__(database, "postgresql", "pyformat", place_of(tx))
        self._tx = tx

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        with self._cursor() as cursor:
            cursor.execute(sql, bound)
            return cursor.fetchall()  # type: ignore[no-any-return]

    def _write(self, sql: str, bound: Bound) -> int:
        with self._cursor() as cursor:
            cursor.execute(sql, bound)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        return self._tx.cursor(cursor_factory=import_module("psycopg2.extensions").cursor)

    def commit(self) -> None:
        """Commit, also what was begun by hand in autocommit mode."""
        self._end("COMMIT") if self._tx.autocommit else self._tx.commit()

    def rollback(self) -> None:
        """Roll back, also what was begun by hand in autocommit mode."""
        self._end("ROLLBACK") if self._tx.autocommit else self._tx.rollback()

    def _end(self, word: str) -> None:
        """End by SQL: in autocommit mode the driver's own methods do nothing."""
        if self._tx.info.transaction_status != import_module("psycopg2.extensions").TRANSACTION_STATUS_IDLE:
            self._write(word, {})

"""sqlite3 and aiosqlite. A row factory of the app's does not apply: rows are tuples.

The app's own waiting (its ``timeout``) and its own kind of BEGIN hold here: a transaction that has read
before it writes fails with "database is locked" when somebody wrote in between. BEGIN IMMEDIATE avoids it.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from lodger.store.database import Database
from lodger.store.doors.base import AsyncDoor, Bound, SyncDoor, refuse_closed


class SqliteDoor(SyncDoor):
    """sqlite3.Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, _is_closed(tx))
        super().__init__(database, "sqlite", "named", None)
        self._tx = tx

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        return self._execute(sql, bound).fetchall()

    def _write(self, sql: str, bound: Bound) -> int:
        return self._execute(sql, bound).rowcount

    def _execute(self, sql: str, bound: Bound) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self._tx.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, bound)

    def commit(self) -> None:
        """Commit."""
        _end(self._tx, "COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        _end(self._tx, "ROLLBACK")


class AiosqliteDoor(AsyncDoor):
    """aiosqlite's Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, _is_closed(tx))
        super().__init__(database, "sqlite", "named", None)
        self._tx = tx

    async def _rows(self, sql: str, bound: Bound) -> list[Any]:
        async with self._tx.cursor() as cursor:
            cursor.row_factory = None
            await cursor.execute(sql, bound)
            return list(await cursor.fetchall())

    async def _write(self, sql: str, bound: Bound) -> int:
        async with self._tx.execute(sql, bound) as cursor:
            return int(cursor.rowcount)

    async def commit(self) -> None:
        """Commit."""
        await self._tx.commit()

    async def rollback(self) -> None:
        """Roll back."""
        await self._tx.rollback()


def _is_closed(tx: Any) -> bool:
    """Whether it is closed, or, with aiosqlite, was never awaited: both drivers only say so by an error."""
    try:
        return tx.in_transaction is None
    except (sqlite3.ProgrammingError, ValueError):
        return True


def _end(tx: Any, word: str) -> None:
    """End the transaction; with ``autocommit=True`` (Python 3.12) the driver's own methods do nothing."""
    if getattr(tx, "autocommit", None) is not True:
        tx.commit() if word == "COMMIT" else tx.rollback()
    elif tx.in_transaction:
        tx.execute(word)

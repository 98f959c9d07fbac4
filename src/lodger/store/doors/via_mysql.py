"""PyMySQL, mysqlclient and asyncmy. Their own cursor class: rows are tuples, whatever the app made the default.

They report how many rows an UPDATE changed, not how many it matched: the guarded writes that are counted
change what they match.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lodger.store.database import Database
from lodger.store.doors.base import AsyncDoor, Bound, SyncDoor, refuse_closed
from lodger.store.doors.drivers import place_of


class MysqlDoor(SyncDoor):
    """PyMySQL's and mysqlclient's Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, not tx.open)
        super().__init__(database, "mysql", "pyformat", place_of(tx))
        self._tx = tx

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        with self._cursor() as cursor:
            cursor.execute(sql, bound or None)
            return list(cursor.fetchall())

    def _write(self, sql: str, bound: Bound) -> int:
        with self._cursor() as cursor:
            cursor.execute(sql, bound or None)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        if any(cls.__module__.startswith("pymysql.") for cls in type(self._tx).__mro__):
            cursors = import_module("pymysql.cursors")
        else:
            cursors = import_module("MySQLdb.cursors")
        return self._tx.cursor(cursors.Cursor)

    def commit(self) -> None:
        """Commit."""
        self._tx.commit()

    def rollback(self) -> None:
        """Roll back."""
        self._tx.rollback()


class AsyncmyDoor(AsyncDoor):
    """asyncmy's Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, not tx.connected)
        super().__init__(database, "mysql", "pyformat", place_of(tx))
        self._tx = tx

    async def _rows(self, sql: str, bound: Bound) -> list[Any]:
        async with self._cursor() as cursor:
            await cursor.execute(sql, bound or None)
            return list(await cursor.fetchall())

    async def _write(self, sql: str, bound: Bound) -> int:
        async with self._cursor() as cursor:
            await cursor.execute(sql, bound or None)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        from asyncmy.cursors import Cursor

        return self._tx.cursor(Cursor)

    async def commit(self) -> None:
        """Commit."""
        await self._tx.commit()

    async def rollback(self) -> None:
        """Roll back."""
        await self._tx.rollback()

"""psycopg 3, sync and async. Its own cursor class and plain tuples, whatever the app made the default."""

from __future__ import annotations

from typing import Any

from lodger.store.database import Database
from lodger.store.doors.base import AsyncDoor, Bound, SyncDoor, refuse_closed
from lodger.store.doors.drivers import place_of


def _in_block(tx: Any) -> bool:
    return getattr(tx, "_num_transactions", 0) > 0  # `with conn.transaction()`: commit() would raise in it


def _in_pipeline(tx: Any) -> bool:
    return bool(tx.pgconn.pipeline_status)


class PsycopgDoor(SyncDoor):
    """psycopg.Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, tx.closed)
        super().__init__(database, "postgresql", "pyformat", place_of(tx))
        self._tx = tx

    @property
    def held_by_block(self) -> bool:
        """Whether the connection is inside its own transaction()."""
        return _in_block(self._tx)

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        with self._cursor() as cursor:
            return cursor.execute(sql, bound, prepare=False).fetchall()  # type: ignore[no-any-return]

    def _write(self, sql: str, bound: Bound) -> int:
        with self._cursor() as cursor:
            if _in_pipeline(self._tx):
                with self._tx.pipeline():  # its end waits for the answer
                    cursor.execute(sql, bound, prepare=False)
            else:
                cursor.execute(sql, bound, prepare=False)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        from psycopg import Cursor
        from psycopg.rows import tuple_row

        return Cursor(self._tx, row_factory=tuple_row)

    def commit(self) -> None:
        """Commit, unless transaction() will."""
        if not self.held_by_block:
            self._tx.commit()

    def rollback(self) -> None:
        """Roll back, unless transaction() will."""
        if not self.held_by_block:
            self._tx.rollback()


class AsyncPsycopgDoor(AsyncDoor):
    """psycopg.AsyncConnection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, tx.closed)
        super().__init__(database, "postgresql", "pyformat", place_of(tx))
        self._tx = tx

    @property
    def held_by_block(self) -> bool:
        """Whether the connection is inside its own transaction()."""
        return _in_block(self._tx)

    async def _rows(self, sql: str, bound: Bound) -> list[Any]:
        async with self._cursor() as cursor:
            await cursor.execute(sql, bound, prepare=False)
            return await cursor.fetchall()  # type: ignore[no-any-return]

    async def _write(self, sql: str, bound: Bound) -> int:
        async with self._cursor() as cursor:
            if _in_pipeline(self._tx):
                async with self._tx.pipeline():  # its end waits for the answer
                    await cursor.execute(sql, bound, prepare=False)
            else:
                await cursor.execute(sql, bound, prepare=False)
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        from psycopg import AsyncCursor
        from psycopg.rows import tuple_row

        return AsyncCursor(self._tx, row_factory=tuple_row)

    async def commit(self) -> None:
        """Commit, unless transaction() will."""
        if not self.held_by_block:
            await self._tx.commit()

    async def rollback(self) -> None:
        """Roll back, unless transaction() will."""
        if not self.held_by_block:
            await self._tx.rollback()

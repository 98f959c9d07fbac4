"""asyncpg: numbered parameters, and a status text such as 'UPDATE 3' instead of a row count."""

from __future__ import annotations

from typing import Any

from lodger.store.database import Database
from lodger.store.doors.base import AsyncDoor, Bound, name_of, refuse_closed
from lodger.store.doors.drivers import place_of


class AsyncpgDoor(AsyncDoor):
    """asyncpg's Connection, also the proxy that a pool lends."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a connection that is closed or back in its pool."""
        lent_by_pool = name_of(tx).startswith("asyncpg.pool.")
        refuse_closed(tx, (lent_by_pool and getattr(tx, "_con", tx) is None) or tx.is_closed())
        super().__init__(database, "postgresql", "numeric", place_of(tx._con if lent_by_pool else tx))  # noqa: SLF001
        self._tx = tx

    @property
    def held_by_block(self) -> bool:
        """Whether the connection is inside ``async with conn.transaction()``."""
        return bool(getattr(self._started(), "_managed", False))

    async def _rows(self, sql: str, bound: Bound) -> list[Any]:
        return await self._tx.fetch(sql, *bound)  # type: ignore[no-any-return]

    async def _write(self, sql: str, bound: Bound) -> int:
        return row_count(await self._tx.execute(sql, *bound))

    async def commit(self) -> None:
        """Commit, unless the end of the ``async with`` will."""
        await self._end("commit")

    async def rollback(self) -> None:
        """Roll back, unless the end of the ``async with`` will."""
        await self._end("rollback")

    async def _end(self, how: str) -> None:
        if self.held_by_block:
            return
        started = self._started()
        if started is not None:
            await getattr(started, how)()
        elif self._tx.is_in_transaction():  # begun by SQL
            await self._tx.execute(how.upper())

    def _started(self) -> Any:
        """Return the outermost transaction object; asyncpg has no public word for it."""
        return getattr(self._tx, "_top_xact", None)


def row_count(status: str) -> int:
    """Return how many rows a command's status tells of: 'UPDATE 3', 'INSERT 0 1'."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0

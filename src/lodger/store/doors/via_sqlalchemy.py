"""SQLAlchemy's Connection and Session and their async twins, over any driver that SQLAlchemy has.

``exec_driver_sql`` with the driver's own parameter style: the app's events see the statements, and nothing is
compiled. The async ones run the whole operation inside one ``run_sync``.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from lodger.errors import InvalidInput
from lodger.store.database import Database
from lodger.store.doors.base import AsyncDoor, Bound, SyncDoor, name_of, refuse_closed
from lodger.store.doors.drivers import DIALECTS, place_of
from lodger.store.doors.places import Place, of_url
from lodger.store.sql import DialectName, ParamStyle
from lodger.store.steps import Steps

T = TypeVar("T")

STYLES: Final[dict[str, ParamStyle]] = {
    "named": "named",
    "pyformat": "pyformat",
    "format": "format",
    "qmark": "qmark",
    "numeric_dollar": "numeric",
}


class _AlchemyDoor(SyncDoor):
    """What Connection and Session share."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse dialects that Lodger does not know."""
        self._tx = tx
        connection = self._connection()
        dialect = _dialect(connection)
        super().__init__(database, dialect, _style(connection, dialect), _place(connection, dialect))

    def _connection(self) -> Any:
        raise NotImplementedError

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        return self._connection().exec_driver_sql(sql, bound or None).fetchall()  # type: ignore[no-any-return]

    def _write(self, sql: str, bound: Bound) -> int:
        return int(self._connection().exec_driver_sql(sql, bound or None).rowcount)

    def commit(self) -> None:
        """Commit."""
        self._tx.commit()

    def rollback(self) -> None:
        """Roll back."""
        self._tx.rollback()


class ConnectionDoor(_AlchemyDoor):
    """sqlalchemy.Connection."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a closed connection."""
        refuse_closed(tx, tx.closed)
        super().__init__(tx, database)

    def _connection(self) -> Any:
        return self._tx


class SessionDoor(_AlchemyDoor):
    """sqlalchemy.orm.Session. Its transaction begins here if it has not yet; pending objects are not flushed."""

    def _connection(self) -> Any:
        from sqlalchemy.exc import UnboundExecutionError

        try:
            return self._tx.connection()  # asked for each time: a commit of the app's ends the one before
        except UnboundExecutionError:
            raise InvalidInput(
                "tx",
                f"{name_of(self._tx)} without one bind",
                "the Connection to use, session.connection(bind_arguments=…)",
            ) from None


class _AsyncAlchemyDoor(AsyncDoor):
    """What AsyncConnection and AsyncSession share. The sync door inside checks which database it is."""

    inner: type[_AlchemyDoor]

    def __init__(self, tx: Any, bind: Any, database: Database) -> None:
        """Look at the dialect only: all else may wait for the server."""
        dialect = _dialect(bind)
        super().__init__(database, dialect, _style(bind, dialect), of_url(dialect, bind.engine.url))
        self._tx = tx

    async def run(self, steps: Steps[T]) -> T:
        """Run ``steps`` to their end in the app's transaction and return their value."""
        return await self._tx.run_sync(lambda tx: self.inner(tx, self.database).run(steps))  # type: ignore[no-any-return]

    async def _rows(self, sql: str, bound: Bound) -> list[Any]:
        raise NotImplementedError

    async def _write(self, sql: str, bound: Bound) -> int:
        raise NotImplementedError

    async def commit(self) -> None:
        """Commit."""
        await self._tx.commit()

    async def rollback(self) -> None:
        """Roll back."""
        await self._tx.rollback()


class AsyncConnectionDoor(_AsyncAlchemyDoor):
    """sqlalchemy.ext.asyncio.AsyncConnection."""

    inner = ConnectionDoor

    def __init__(self, tx: Any, database: Database) -> None:
        """Refuse a connection that is closed or was never awaited."""
        refuse_closed(tx, tx.sync_connection is None or tx.closed)
        super().__init__(tx, tx.sync_connection, database)


class AsyncSessionDoor(_AsyncAlchemyDoor):
    """sqlalchemy.ext.asyncio.AsyncSession."""

    inner = SessionDoor

    def __init__(self, tx: Any, database: Database) -> None:
        """Find the engine behind the session."""
        from sqlalchemy.exc import UnboundExecutionError

        try:
            bind = tx.sync_session.get_bind()
        except UnboundExecutionError:
            raise InvalidInput("tx", f"{name_of(tx)} without one bind", "the AsyncConnection to use") from None
        super().__init__(tx, bind, database)


def _dialect(bind: Any) -> DialectName:
    found = DIALECTS.get(bind.dialect.name)
    if found is None:
        raise InvalidInput("tx", f"a connection to {bind.dialect.name}", "PostgreSQL, MySQL, MariaDB or SQLite")
    return found


def _style(bind: Any, dialect: DialectName) -> ParamStyle:
    return STYLES.get(bind.dialect.paramstyle, "named" if dialect == "sqlite" else "pyformat")


def _place(connection: Any, dialect: DialectName) -> Place | None:
    found = place_of(connection.connection.driver_connection)
    return found or of_url(dialect, connection.engine.url)

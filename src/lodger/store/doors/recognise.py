"""Which door is for which connection, told by the names of its classes: no driver is imported for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lodger.errors import InvalidInput
from lodger.store.database import Database
from lodger.store.doors import via_asyncpg, via_django, via_mysql, via_psycopg, via_psycopg2, via_sqlalchemy, via_sqlite
from lodger.store.doors.base import Door, name_of

ALLOWED: Final = (
    "SQLAlchemy's Connection, Session, AsyncConnection or AsyncSession (scoped ones too), Django's connection, "
    "or a connection of psycopg, psycopg2, asyncpg, sqlite3, aiosqlite, PyMySQL, mysqlclient or asyncmy"
)


def open_door(tx: object, database: Database) -> Door:
    """Return the door to the app's transaction ``tx``; Lodger runs in ``database``.

    Raises InvalidInput for anything else than a connection of a known kind, for a closed one and for one to
    another database. When only the server can tell which one it is, the first ``run`` raises that.
    """
    for cls in type(tx).__mro__:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if name in UNWRAP:
            return open_door(UNWRAP[name](tx), database)
        if name in DOORS:
            return DOORS[name](tx, database)
    raise InvalidInput("tx", name_of(tx), ALLOWED)


def _registered(tx: Any) -> object:
    return tx()


UNWRAP: Final[dict[str, Callable[[Any], object]]] = {
    "sqlalchemy.orm.scoping.scoped_session": _registered,
    "sqlalchemy.ext.asyncio.scoping.async_scoped_session": _registered,
}
DOORS: Final[dict[str, Callable[[Any, Database], Door]]] = {
    "sqlalchemy.engine.base.Connection": via_sqlalchemy.ConnectionDoor,
    "sqlalchemy.orm.session.Session": via_sqlalchemy.SessionDoor,
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": via_sqlalchemy.AsyncConnectionDoor,
    "sqlalchemy.ext.asyncio.session.AsyncSession": via_sqlalchemy.AsyncSessionDoor,
    "django.db.backends.base.base.BaseDatabaseWrapper": via_django.DjangoDoor,
    "django.utils.connection.ConnectionProxy": via_django.DjangoDoor,
    "psycopg.Connection": via_psycopg.PsycopgDoor,
    "psycopg.AsyncConnection": via_psycopg.AsyncPsycopgDoor,
    "psycopg2.extensions.connection": via_psycopg2.Psycopg2Door,
    "asyncpg.connection.Connection": via_asyncpg.AsyncpgDoor,
    "asyncpg.pool.PoolConnectionProxy": via_asyncpg.AsyncpgDoor,
    "sqlite3.Connection": via_sqlite.SqliteDoor,
    "aiosqlite.core.Connection": via_sqlite.AiosqliteDoor,
    "pymysql.connections.Connection": via_mysql.MysqlDoor,
    "MySQLdb.connections.Connection": via_mysql.MysqlDoor,
    "asyncmy.connection.Connection": via_mysql.AsyncmyDoor,
}

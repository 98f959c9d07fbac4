"""Where a driver's own connection says that it is connected, by the driver's name; None when it does not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lodger.store.doors.places import Place
from lodger.store.sql import DialectName


def place_of(raw: Any) -> Place | None:
    """Return where the driver's connection ``raw`` is connected, without asking the server."""
    for cls in type(raw).__mro__:
        found = _PLACES.get(cls.__module__.partition(".")[0])
        if found is not None:
            return found(raw)
    return None


def _libpq(raw: Any) -> Place:
    info = raw.info
    return Place("postgresql", info.dbname, info.host, info.port)


def _asyncpg(raw: Any) -> Place | None:
    # Not part of its API: should they go, the server is asked instead.
    database, address = getattr(getattr(raw, "_params", None), "database", None), getattr(raw, "_addr", None)
    if not database or not address:
        return None
    if isinstance(address, str):  # a socket, its port at the end
        directory, _, port = address.rpartition("/.s.PGSQL.")
        return Place("postgresql", database, directory, int(port) if port.isdigit() else None)
    return Place("postgresql", database, address[0], address[1])


def _mysql(raw: Any) -> Place | None:
    # mysqlclient has none of these, asyncmy has them with an underscore.
    def get(name: str) -> Any:
        return getattr(raw, name, None) or getattr(raw, f"_{name}", None)

    database = get("db")
    if not database:
        return None
    name = database.decode() if isinstance(database, bytes) else str(database)
    return Place("mysql", name, get("unix_socket") or get("host"), get("port"))


_PLACES: Final[dict[str, Callable[[Any], Place | None]]] = {
    "psycopg": _libpq,
    "psycopg2": _libpq,
    "asyncpg": _asyncpg,
    "pymysql": _mysql,
    "asyncmy": _mysql,
    "MySQLdb": _mysql,
}
DIALECTS: Final[dict[str, DialectName]] = {
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}

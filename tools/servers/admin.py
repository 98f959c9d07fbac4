"""Databases of a running server, by its URL: the tests share servers that another process started."""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pymysql

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT_SECONDS = 10
# What connecting to a server that is not there, or still starting, raises.
CONNECTION_ERRORS = (psycopg.OperationalError, pymysql.err.OperationalError)


def create_database(server_url: str, name: str) -> str:
    """Create an empty database and return its URL."""
    # template0 has no sessions that could be in the way.
    template = " TEMPLATE template0" if _is_postgresql(server_url) else ""
    statement = f"CREATE DATABASE {_identifier(name)}{template}"
    with cursor(server_url) as sql:
        sql.execute(statement)
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(server_url: str, name: str) -> None:
    """Drop a database, ending the sessions that still use it."""
    with cursor(server_url) as sql:
        if _is_postgresql(server_url):
            sql.execute(f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")
        else:
            _end_mariadb_sessions(sql, name)
            sql.execute(f"DROP DATABASE IF EXISTS {_identifier(name)}")


def server_version(server_url: str) -> str:
    """The version as the server tells it, without the packager's remarks: `17.2`, `10.11.8`."""
    with cursor(server_url) as sql:
        sql.execute("SHOW server_version" if _is_postgresql(server_url) else "SELECT version()")
        return str(sql.fetchone()[0]).split()[0].split("-")[0]


@contextmanager
def cursor(url: str) -> Iterator[Any]:
    """A cursor of a connection in autocommit mode, for either server."""
    parts = urlsplit(url)
    connection: Any
    if _is_postgresql(url):
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)
    else:
        connection = pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=parts.path.lstrip("/") or None,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
        )
    with closing(connection), connection.cursor() as opened:
        yield opened


def _end_mariadb_sessions(sql: Any, name: str) -> None:
    # DROP DATABASE waits for the metadata locks of open transactions, and a failed test may have left one.
    sql.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
    for (session,) in sql.fetchall():
        with suppress(pymysql.err.OperationalError):  # it has just gone by itself
            sql.execute("KILL CONNECTION %s", (session,))


def _is_postgresql(url: str) -> bool:
    return urlsplit(url).scheme.startswith("postgres")


def _identifier(name: str) -> str:
    # Quoting differs between the servers; names that need none are all that is wanted here.
    if not (name.isascii() and name.isidentifier() and name == name.lower()):
        msg = f"not a plain lower-case database name: {name!r}"
        raise ValueError(msg)
    return name

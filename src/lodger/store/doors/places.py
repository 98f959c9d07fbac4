"""Is the app's connection on the database that Lodger uses?

First what both sides say of themselves: the same host, port and database name is the same database, also
through a proxy. When they differ nothing is certain yet (a socket and 127.0.0.1, two names of one host, a
pooler in front of the one and not of the other), so both servers are asked who they are. SQLite is always
asked, that costs nothing, and the real paths are compared.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy.engine import URL

from lodger.errors import InvalidInput
from lodger.store.database import Database
from lodger.store.sql import DialectName, Terms, statement

Server: TypeAlias = tuple[str | None, str]
"""The database's name, and what tells one server from all others."""
Words: TypeAlias = tuple[str, str, int]

PORTS: Final[dict[DialectName, int]] = {"postgresql": 5432, "mysql": 3306, "sqlite": 0}
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client says that it is connected; ``database`` is the file on SQLite."""

    dialect: DialectName
    database: str
    host: str | None = None
    port: int | None = None

    @property
    def safe(self) -> str:
        """Return it as a URL without user and password."""
        if self.dialect == "sqlite":
            return f"sqlite:///{self.database}"
        host = f"{self.host}:{self.port}" if self.host and self.port else self.host or ""
        return f"{self.dialect}://{host}/{self.database}"

    @property
    def words(self) -> Words:
        """Return what is compared: names of one loopback interface are one, a missing port is the usual one."""
        host = (self.host or "").lower()
        return self.database, "localhost" if host in LOOPBACK else host, self.port or PORTS[self.dialect]


def of_url(dialect: DialectName, url: URL) -> Place | None:
    """Return where ``url`` leads, or None when it does not name the database."""
    host = url.host or url.query.get("host") or url.query.get("unix_socket")
    return Place(dialect, url.database, str(host) if host else None, url.port) if url.database else None


def must_ask(theirs: Place | None, database: Database) -> bool:
    """Whether only the server can tell if ``theirs`` is Lodger's database."""
    own = of_url(database.dialect, database.url.url)
    if database.dialect == "sqlite" or theirs is None or own is None:
        return True
    return theirs.words != own.words and theirs.words not in _aliases.get(database, ())


def accept(theirs: Place | None, rows: Sequence[Sequence[Any]], database: Database) -> None:
    """Raise InvalidInput unless the answer ``rows`` to where_am_i comes from Lodger's own database."""
    if database.dialect == "sqlite":
        file = next((os.path.realpath(row[2]) for row in rows if row[1] == "main" and row[2]), ":memory:")
        if file == os.path.realpath(database.url.url.database or ""):
            return
        theirs = Place("sqlite", file)
    else:
        server: Server = (rows[0][0], str(rows[0][1]))
        if server == _known.get(database) or server == _ask_own(database):
            if theirs is not None:
                _aliases.setdefault(database, set()).add(theirs.words)
            return
        theirs = theirs or Place(database.dialect, server[0] or "")
    raise InvalidInput("tx", theirs.safe, f"a transaction on Lodger's own database {database.url.safe}")


_known: Final[WeakKeyDictionary[Database, Server]] = WeakKeyDictionary()
_aliases: Final[WeakKeyDictionary[Database, set[Words]]] = WeakKeyDictionary()  # other words for the same place


def _ask_own(database: Database) -> Server:
    with database.connect() as conn:
        row = conn.rows(where_am_i)[0]
    _known[database] = found = (row[0], str(row[1]))
    return found


@statement
def where_am_i(t: Terms) -> str:
    """The database's name and its server's identity, in words that every user may ask for.

    PostgreSQL: the microsecond in which the server started. SQLite: the attached files.
    """
    match t.dialect:
        case "postgresql":
            return "SELECT current_database(), CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000 AS bigint)"
        case "mysql":
            return "SELECT DATABASE(), CONCAT_WS('|', @@hostname, @@port, @@socket, @@datadir, @@pid_file)"
        case "sqlite":
            return "PRAGMA database_list"

"""The database server itself: settings that bear on Lodger, and connections. What every user may ask for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from lodger.store.database import Conn
from lodger.store.schedules import clock
from lodger.store.sql import Terms, statement

POSTGRESQL_NAMES: Final = (
    "server_version",
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "max_connections",
    "superuser_reserved_connections",
)
MYSQL_NAMES: Final = ("version", "innodb_flush_log_at_trx_commit", "max_allowed_packet", "max_connections")


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """What a PostgreSQL, MariaDB or MySQL server says of itself."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """As the server writes them, for a connection like Lodger's."""
    connections: int = 0
    """Of clients, ours included."""

    def number(self, name: str) -> int | None:
        """Return a setting as a number, None where the server does not tell it."""
        text = self.settings.get(name, "")
        return int(text) if text.isdigit() else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Skew:
    """How far the database's clock is ahead of this host's, and how exactly that is known."""

    seconds: float
    uncertain_seconds: float


def look(conn: Conn) -> Server | None:
    """Return what the server says; None on SQLite, which has none."""
    if conn.dialect == "sqlite":
        return None
    settings = {str(name).lower(): str(value) for name, value in conn.rows(server_settings)}
    return Server(settings=settings, connections=int(conn.rows(client_connections)[0][-1]))


@statement
def server_settings(t: Terms) -> str:
    """Settings of the server (PostgreSQL, MariaDB, MySQL)."""
    names = ", ".join(f"'{name}'" for name in (POSTGRESQL_NAMES if t.dialect == "postgresql" else MYSQL_NAMES))
    if t.dialect == "postgresql":
        return f"SELECT name, setting FROM pg_settings WHERE name IN ({names})"
    return f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"


@statement
def client_connections(t: Terms) -> str:
    """Connections of clients, in the last column (PostgreSQL, MariaDB, MySQL).

    PostgreSQL hides of which kind other users' sessions are, but not that they are in a database.
    """
    if t.dialect == "mysql":
        return "SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_connected'"
    return """
SELECT COUNT(*) FROM pg_stat_activity
WHERE datid IS NOT NULL AND (backend_type IS NULL OR backend_type = 'client backend')"""


def skew(conn: Conn) -> Skew | None:
    """Return how far the clocks are apart; None on SQLite, which reads this host's."""
    if conn.dialect == "sqlite":
        return None
    clock(conn)  # the first answer of a connection may be slow
    before, asked = datetime.now(UTC), time.monotonic()
    there = clock(conn)
    took = time.monotonic() - asked
    return Skew(
        seconds=(there - before) / timedelta(seconds=1) - took / 2,
        uncertain_seconds=took / 2,
    )

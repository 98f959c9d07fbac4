"""Connections of the wake-up's own on PostgreSQL: not of the pool, which they would keep from others."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lodger.store.database import Database

if TYPE_CHECKING:
    from psycopg import Connection

# A half-open connection must show itself; what the URL says wins.
DEFAULTS: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def connect(database: Database, purpose: str) -> Connection[Any]:
    """Return a new connection in autocommit mode; ``purpose`` is shown in pg_stat_activity."""
    import psycopg  # only when the app runs on PostgreSQL

    _, arguments = database.engine.dialect.create_connect_args(database.url.url)
    arguments.pop("context", None)  # SQLAlchemy's type adapters
    settings = {"application_name": f"lodger {purpose}", **DEFAULTS, **arguments}
    return psycopg.connect(**settings, autocommit=True, prepare_threshold=None)


def reason(error: BaseException) -> str:
    """Return one line for a log, without what the server or the driver say about the connection."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__}{f' {state}' if state else ''}"


def abandon(connection: Connection[Any]) -> None:
    """Close a forked child's copy of the parent's connection, below the driver.

    The driver would say goodbye to the server, and so end the parent's session; left open, the session
    would outlive the parent. Keep the object: a connection that is dropped unclosed warns of itself.
    """
    with suppress(Exception):
        os.close(connection.fileno())

"""Locks of others: which runs somebody else's transaction has locked just now.

A host app may lock a run's row for as long as its own transaction takes: on MariaDB and MySQL an enqueue with the
unique key of a run that is running does so. SQLite locks no rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from lodger.store.database import Conn
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in


def locked_runs(conn: Conn, run_ids: Iterable[str]) -> set[str]:
    """Return those of ``run_ids`` that another transaction has locked, without waiting for any."""
    if conn.dialect == "sqlite":
        return set()
    return {run_id for run_id in run_ids if _is_locked(conn, run_id)}


def _is_locked(conn: Conn, run_id: str) -> bool:
    key = id_in(conn.dialect, run_id)
    return conn.value(lock_if_free, id=key) is None and conn.value(find, id=key) is not None


@statement
def lock_if_free(t: Terms) -> str:
    """Find a run that nobody has locked (PostgreSQL, MariaDB, MySQL)."""
    return f"{find.build(t)} {t.for_update(skip_locked=True)}"


@statement
def find(t: Terms) -> str:
    """Find a run, locked or not."""
    return f"SELECT 1 FROM {t.run} WHERE id = :id"

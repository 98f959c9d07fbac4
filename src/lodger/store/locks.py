"""Locks of others: which runs somebody else's transaction has locked just now.

A host app may lock a run's row for as long as its own transaction takes: on MariaDB and MySQL an enqueue with the
unique key of a run that is running does so. SQLite locks no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import lru_cache

from lodger.store.database import Conn
from lodger.store.sql import Statement, Terms
from lodger.store.values import array_in, id_in, id_out


def locked_runs(conn: Conn, run_ids: Collection[str]) -> set[str]:
    """Return those of ``run_ids`` that another transaction has locked, without waiting. Not inside a transaction."""
    if conn.dialect == "sqlite" or not run_ids:
        return set()
    missing = set(run_ids) - _free(conn, run_ids)
    return _among(conn, missing, there) if missing else set()


def _free(conn: Conn, run_ids: Collection[str]) -> set[str]:
    found: set[str] = set()
    with suppress(_Over), conn.transaction():
        found = _among(conn, run_ids, lock_free)
        raise _Over  # nothing is to be written: committed, PostgreSQL's locks would cost a flush
    return found


class _Over(Exception):
    pass


def _among(conn: Conn, run_ids: Collection[str], look: Callable[[int], Statement]) -> set[str]:
    if conn.dialect == "postgresql":
        return {id_out(row[0]) for row in conn.rows(look(0), ids=array_in(run_ids))}
    keys = {f"id_{number}": id_in(conn.dialect, run_id) for number, run_id in enumerate(sorted(run_ids))}
    return {id_out(row[0]) for row in conn.rows(look(len(keys)), **keys)}


@lru_cache(maxsize=1024)
def lock_free(count: int) -> Statement:
    """Lock those of ``count`` runs that nobody has locked (PostgreSQL: of an array)."""
    return Statement(lambda t: f"{_find(t, count)} {t.for_update(skip_locked=True)}", "lock_free")


@lru_cache(maxsize=1024)
def there(count: int) -> Statement:
    """Find those of ``count`` runs that exist, locked or not (PostgreSQL: of an array)."""
    return Statement(lambda t: _find(t, count), "there")


def _find(t: Terms, count: int) -> str:
    if t.dialect == "postgresql":
        return f"SELECT id FROM {t.run} WHERE id = ANY(CAST(CAST(:ids AS text) AS uuid[]))"
    return f"SELECT id FROM {t.run} WHERE id IN ({', '.join(f':id_{i}' for i in range(count))})"

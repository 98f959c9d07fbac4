"""Upkeep: what keeps the table in order beside the claims. Every call is one small batch."""

from __future__ import annotations

from dataclasses import dataclass

from lodger.model.ids import first_id_at
from lodger.store.database import Conn
from lodger.store.fragments import window_is_over
from lodger.store.inserts import let_go
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in, id_out


def promote(conn: Conn, limit: int) -> list[str]:
    """Queue up to ``limit`` scheduled runs that are due; return their queues (one entry per run).

    Call it inside a transaction on MariaDB and MySQL.
    """
    if conn.dialect != "mysql":
        return [row[0] for row in conn.write_rows(promote_due, limit=limit)]
    rows = conn.rows(lock_scheduled, limit=limit)
    for row in rows:
        conn.write(promote_one, id=row[0])
    return [row[1] for row in rows]


def _promoted(t: Terms) -> str:
    return f"status = 'QUEUED', ready_queue = queue, queued_at = {t.now}, scheduled_at = NULL"


@statement
def promote_due(t: Terms) -> str:
    """Promote in one statement (PostgreSQL, SQLite)."""
    inner = (
        f"SELECT id FROM {t.run} WHERE scheduled_at <= {t.now} "
        f"ORDER BY scheduled_at LIMIT :limit {t.for_update(skip_locked=True)}"
    )
    chosen = f"id = ANY(ARRAY({inner}))" if t.dialect == "postgresql" else f"id IN ({inner})"
    return f"UPDATE {t.run} SET {_promoted(t)}\nWHERE {chosen} AND status = 'SCHEDULED'\nRETURNING queue"


@statement
def lock_scheduled(t: Terms) -> str:
    """Lock due scheduled runs (MariaDB, MySQL)."""
    return (
        f"SELECT id, queue FROM {t.run} WHERE scheduled_at <= {t.now}\n"
        f"ORDER BY scheduled_at LIMIT :limit {t.for_update(skip_locked=True)}"
    )


@statement
def promote_one(t: Terms) -> str:
    """Promote a locked run by primary key (MariaDB, MySQL)."""
    return f"UPDATE {t.run} SET {_promoted(t)} WHERE id = :id AND status = 'SCHEDULED'"


def free_unique(conn: Conn, limit: int) -> int:
    """Free up to ``limit`` keys that are held only by a window which has closed; return how many."""
    closed = [{"id": row[0], "slot": row[1]} for row in conn.rows(closed_windows, limit=limit)]
    return conn.write_many(let_go, closed) if closed else 0


@statement
def closed_windows(t: Terms) -> str:
    """Runs that hold their key only by a closed window, without a lock: an enqueue under way holds up nobody.

    In the order of the index, or PostgreSQL reads the whole table while it has no statistics.
    """
    return f"""
SELECT id, unique_slot FROM {t.run} WHERE unique_slot IS NOT NULL AND {window_is_over(t)}
ORDER BY unique_slot LIMIT :limit"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long ended runs are kept, in seconds."""

    succeeded_seconds: float
    failed_seconds: float
    """Also for cancelled ones."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """One step of pruning: how many runs went, and where to go on (None: the walk is over)."""

    runs: int
    after: str | None


def prune(conn: Conn, retention: Retention, *, after: str | None, limit: int = 1000) -> Pruned:
    """Delete ended runs past their retention among the next ``limit`` ids ``after`` this one.

    Ids begin with their time, so walking them in order visits the old runs first and needs no index on
    completed_at (which would cost every finish 10 %). Call it inside a transaction.
    """
    now_ms = int(conn.value(clock_ms))
    youngest = min(retention.succeeded_seconds, retention.failed_seconds)
    rows = conn.rows(
        walk,
        after=id_in(conn.dialect, after or first_id_at(0)),
        limit=limit,
        succeeded_us=-round(retention.succeeded_seconds * 1e6),
        failed_us=-round(retention.failed_seconds * 1e6),
    )
    gone = [{"id": row[0]} for row in rows if row[1]]
    if gone:
        conn.write_many(delete_run, gone)
        conn.write_many(delete_attempts, gone)
        conn.write_many(delete_log, gone)
    last = id_out(rows[-1][0]) if len(rows) == limit else None
    is_over = last is None or last >= first_id_at(now_ms - round(youngest * 1000))
    return Pruned(len(gone), None if is_over else last)


@statement
def clock_ms(t: Terms) -> str:
    """The database's clock in milliseconds since 1970."""
    match t.dialect:
        case "postgresql":
            return f"SELECT CAST(EXTRACT(EPOCH FROM {t.now}) * 1000 AS bigint)"
        case "mysql":
            return f"SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {t.now}) / 1000 AS SIGNED)"
        case "sqlite":
            return f"SELECT {t.now} / 1000"


@statement
def walk(t: Terms) -> str:
    """The next ids in time's order, each with whether its run may go.

    No upper bound: with one, and without statistics, PostgreSQL takes the range for small, and reads and sorts all of
    it for each step.
    """
    return f"""
SELECT id, CASE
    WHEN status = 'SUCCEEDED' AND completed_at < {t.after(":succeeded_us")} THEN 1
    WHEN status IN ('FAILED', 'CANCELLED') AND completed_at < {t.after(":failed_us")} THEN 1
    ELSE 0 END AS may_go
FROM {t.run} WHERE id > :after ORDER BY id LIMIT :limit"""


@statement
def delete_run(t: Terms) -> str:
    """Delete an ended run (the status again: an admin may have retried it since it was read)."""
    return f"DELETE FROM {t.run} WHERE id = :id AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"


@statement
def delete_attempts(t: Terms) -> str:
    """Delete the attempts of a run that has gone."""
    return f"DELETE FROM {t.attempt} WHERE run_id = :id AND {_has_gone(t)}"


@statement
def delete_log(t: Terms) -> str:
    """Delete the log of a run that has gone."""
    return f"DELETE FROM {t.log} WHERE run_id = :id AND {_has_gone(t)}"


def _has_gone(t: Terms) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {t.run} AS r WHERE r.id = :id)"


def prune_workers(conn: Conn, older_than_seconds: float) -> int:
    """Delete workers that have been dead that long; return how many."""
    return conn.write(delete_dead_workers, age_us=-round(older_than_seconds * 1e6))


@statement
def delete_dead_workers(t: Terms) -> str:
    """Forget workers that died long ago and own nothing."""
    return f"""
DELETE FROM {t.worker} WHERE dead_at < {t.after(":age_us")}
  AND NOT EXISTS (SELECT 1 FROM {t.run} AS r WHERE r.owner = {t.worker}.id)"""

"""Claim: take the right to execute runs.

A claim sets status, owner, engine and started_at and moves the fence and the attempt on by one, in one
short transaction, in index order. It requires the claimer's own worker row to be alive, so a worker that
was declared dead while it slept cannot take new work before it has noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from lodger.model.run import ClaimedRun
from lodger.store.database import Conn
from lodger.store.fragments import release_unique
from lodger.store.queues import paused
from lodger.store.sql import Statement, Terms, joined, statement
from lodger.store.values import id_in, id_out

COLUMNS: Final = (
    "id, job, queue, fence, attempt, max_attempts, on_crash, crashes, interruptions, suspect, "
    "CASE WHEN expires_at <= {now} THEN 1 ELSE 0 END, args, options, meta, checkpoint, claim_rank, run_at"
)
FIELDS: Final = len(ClaimedRun._fields)


def claim(conn: Conn, *, worker: str, engine: int, queue: str, jobs: Sequence[str], limit: int) -> list[ClaimedRun]:
    """Return up to ``limit`` due runs of ``queue`` whose job is among ``jobs``, now owned by the worker.

    On MariaDB and MySQL call it inside a transaction (two statements).
    """
    params: dict[str, Any] = {
        "owner": id_in(conn.dialect, worker),
        "engine": engine,
        "queue": queue,
        "jobs": joined(jobs, conn.dialect),
        "limit": limit,
    }
    if conn.dialect == "mysql":
        return _claim_in_two_steps(conn, params)
    rows = conn.write_rows(claim_due, **params)
    rows.sort(key=_claim_order)  # RETURNING has no order
    return [ClaimedRun(id_out(row[0]), *row[1:FIELDS]) for row in rows]


def _claim_order(row: Any) -> Any:
    return row[FIELDS], row[FIELDS + 1], row[0]


def _claim_in_two_steps(conn: Conn, params: dict[str, Any]) -> list[ClaimedRun]:
    owner, engine = params["owner"], params.pop("engine")
    rows = conn.rows(lock_due, **params)
    if not rows:
        return []
    ids = {f"id_{i}": key for i, key in enumerate(sorted(row[0] for row in rows))}
    conn.write(take_locked(len(rows)), owner=owner, engine=engine, **ids)
    return [ClaimedRun(id_out(row[0]), row[1], row[2], row[3] + 1, row[4] + 1, *row[5:FIELDS]) for row in rows]


def _due(t: Terms) -> str:
    """Return the condition, order and lock of the runs to take: the index (ready_queue, …) in its own order."""
    return (
        f"WHERE ready_queue = :queue AND {t.among('job', 'jobs')}\n"
        f"  AND EXISTS (SELECT 1 FROM {t.worker} AS w WHERE w.id = :owner AND w.dead_at IS NULL)\n"
        f"  AND NOT EXISTS (SELECT 1 FROM {t.queue} AS q WHERE q.name = :queue AND q.paused_at IS NOT NULL)\n"
        f"  ORDER BY claim_rank, run_at, id LIMIT :limit {t.for_update(skip_locked=True)}"
    )


def _take(t: Terms) -> str:
    """Return the assignments of a claim."""
    return (
        "status = 'RUNNING', ready_queue = NULL, owner = :owner, worker_id = :owner, engine = :engine,\n"
        f"  fence = fence + 1, attempt = attempt + 1, started_at = {t.now},\n"
        "  unique_slot = CASE WHEN unique_scope = 'waiting' "
        f"AND (unique_until IS NULL OR unique_until <= {t.now}) THEN NULL ELSE unique_slot END"
    )


@statement
def claim_due(t: Terms) -> str:
    """Claim in one statement (PostgreSQL, SQLite).

    PostgreSQL: ANY(ARRAY(…)) is always an InitPlan run once and primary-key look-ups; joined as a CTE, a
    generic plan takes 10 % of the table for LIMIT and scans it all (12.6 ms against 1.5 ms).
    """
    inner = f"SELECT id FROM {t.run}\n  {_due(t)}"
    chosen = f"id = ANY(ARRAY({inner}))" if t.dialect == "postgresql" else f"id IN ({inner})"
    returning = COLUMNS.format(now=t.now)
    return f"UPDATE {t.run} SET {_take(t)}\nWHERE {chosen} AND status = 'QUEUED'\nRETURNING {returning}"


@statement
def lock_due(t: Terms) -> str:
    """Lock due runs and skip those that another claimer has locked (MariaDB, MySQL)."""
    return f"SELECT {COLUMNS.format(now=t.now)} FROM {t.run}\n  {_due(t)}"


@lru_cache(maxsize=1024)
def take_locked(count: int) -> Statement:
    """Take ``count`` runs that ``lock_due`` has locked, by primary key (MariaDB, MySQL)."""

    def build(t: Terms) -> str:
        ids = ", ".join(f":id_{i}" for i in range(count))
        return f"UPDATE {t.run} SET {_take(t)}\nWHERE id IN ({ids}) AND status = 'QUEUED'"

    return Statement(build, "take_locked")


def queues_with_work(conn: Conn) -> list[str]:
    """Return the queues that have due runs and are not paused, by as many index probes as there are queues."""
    if conn.dialect != "mysql":
        return [row[0] for row in conn.rows(ready_queues)]
    found: list[str] = []
    while (name := conn.value(next_ready_queue, after=found[-1] if found else "")) is not None:
        found.append(name)
    held = set(paused(conn)) if found else set()
    return [name for name in found if name not in held]


@statement
def next_ready_queue(t: Terms) -> str:
    """Probe for the next queue (MariaDB, MySQL).

    One by one: inside a recursive query MariaDB reads the whole index for each queue, the entries of all ended
    runs included (600 ms at a million of them, where a probe takes 0.2).
    """
    return f"SELECT MIN(ready_queue) FROM {t.run} WHERE ready_queue > :after"


@statement
def ready_queues(t: Terms) -> str:
    """Walk the distinct values at the front of the index instead of reading every entry (PostgreSQL, SQLite)."""
    return f"""
WITH RECURSIVE ready (name) AS (
  SELECT MIN(ready_queue) FROM {t.run} WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT (SELECT MIN(r.ready_queue) FROM {t.run} AS r WHERE r.ready_queue > ready.name)
  FROM ready WHERE ready.name IS NOT NULL
)
SELECT name FROM ready WHERE name IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM {t.queue} AS q WHERE q.name = ready.name AND q.paused_at IS NOT NULL)"""


def adopt(conn: Conn, run: ClaimedRun, *, max_attempts: int, on_crash: str) -> None:
    """Give a run that was enqueued by name the limits of its job, known only where the job's code is."""
    conn.write(
        adopt_run,
        id=id_in(conn.dialect, run.id),
        fence=run.fence,
        max_attempts=max_attempts,
        on_crash=on_crash,
    )


@statement
def adopt_run(t: Terms) -> str:
    """Fill in what the enqueuer could not know."""
    return f"""
UPDATE {t.run} SET max_attempts = COALESCE(max_attempts, :max_attempts), on_crash = COALESCE(on_crash, :on_crash)
WHERE id = :id AND status = 'RUNNING' AND fence = :fence"""


def release_unknown(conn: Conn, *, worker: str, engine: int, known: Iterable[tuple[str, int]]) -> int:
    """Give back runs that this engine owns but does not know of: a claim whose commit reply was lost.

    ``known``: (id, fence) of those it holds; it may know the run by a lease that was lost long ago. Call it after a
    claim failed in doubt, before the next one. They were never started: attempt refunded.
    """
    owned = conn.rows(owned_by_engine, owner=id_in(conn.dialect, worker), engine=engine)
    leases = set(known)
    strangers = [row for row in owned if (id_out(row[0]), row[1]) not in leases]
    for row in strangers:
        conn.write(give_back, id=row[0], fence=row[1])
    return len(strangers)


@statement
def owned_by_engine(t: Terms) -> str:
    """The runs that an engine owns, and which of them somebody wants cancelled."""
    return f"SELECT id, fence, cancel_requested FROM {t.run} WHERE owner = :owner AND engine = :engine"


@statement
def give_back(t: Terms) -> str:
    """Undo a claim; a run that somebody wants cancelled meanwhile ends here."""
    slot = release_unique(t).removeprefix("unique_slot = ")
    return f"""
UPDATE {t.run} SET owner = NULL, fence = fence + 1, attempt = attempt - 1, queued_at = {t.now},
  status = CASE WHEN cancel_requested = 1 THEN 'CANCELLED' ELSE 'QUEUED' END,
  ready_queue = CASE WHEN cancel_requested = 0 THEN queue END,
  completed_at = CASE WHEN cancel_requested = 1 THEN {t.now} END,
  unique_slot = CASE WHEN cancel_requested = 1 THEN {slot} ELSE unique_slot END,
  cancel_requested = 0
WHERE id = :id AND status = 'RUNNING' AND fence = :fence"""


def leases(conn: Conn, *, worker: str, engine: int) -> dict[tuple[str, int], bool]:
    """Return (id, fence) of the runs that the engine owns, and of each whether somebody wants it cancelled."""
    rows = conn.rows(owned_by_engine, owner=id_in(conn.dialect, worker), engine=engine)
    return {(id_out(row[0]), row[1]): bool(row[2]) for row in rows}

"""Rescue: free the runs of workers and engines that are gone.

Ways to lose a process, told apart because blame needs evidence:

    its supervisor saw it die    free_engine    with the exit status in hand: a crash
    the whole worker fell silent free_silent    no evidence: LOST, the attempt is refunded
    another engine missed it     free_vanished  the same: it was left alone, so nobody saw how it ended

In both the fence moves on, so that a late answer of the old owner changes nothing. An engine that dies while
it executes one run dies of that run. With several, nobody knows which: all become suspects, keep their
attempt's refund, and are run alone from then on, so that the next crash blames exactly one. What the engine
held without executing it is innocent: it had ended and waited to be recorded, ran in a process of its own, or
had not begun.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from lodger.model.outcome import MAX_CRASHES, MAX_INTERRUPTIONS, MAX_LOST
from lodger.store.database import Conn
from lodger.store.finish import error_text
from lodger.store.fragments import is_silent, release_unique
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in, id_out


@dataclass(frozen=True, slots=True)
class Freed:
    """A run that was taken from a dead owner, and where it went."""

    id: str
    job: str
    status: str


def free_engine(
    conn: Conn,
    worker: str,
    engine: int,
    exit_text: str,
    *,
    running: AbstractSet[str] | None = None,
    begun: AbstractSet[str] = frozenset(),
    alone: bool | None = None,
) -> list[Freed]:
    """Free the runs of an engine whose death was seen; ``exit_text`` says how it ended.

    ``running``: the ids of the runs whose code it was executing; None: nobody knows, so all of them.
    ``begun``: those that had begun and cannot have killed it. ``alone``: whether it executed one run only; None: the
    runs that are freed now say so. Those that an app's transaction has locked are left: call it again. Call it inside a
    transaction.
    """
    rows = _rows_of_engine(conn, worker, engine)
    suspects = [row for row in rows if running is None or id_out(row[0]) in running]
    innocent = [row for row in rows if running is not None and id_out(row[0]) not in running]
    alone = len(suspects) == 1 if alone is None else alone
    return [
        *(_free_crashed(conn, row, exit_text, alone=alone) for row in suspects),
        *(_free_innocent(conn, row, exit_text, begun=id_out(row[0]) in begun) for row in innocent),
    ]


def _rows_of_engine(conn: Conn, worker: str, engine: int) -> list[Any]:
    return conn.rows(runs_of_engine, owner=id_in(conn.dialect, worker), engine=engine)


@statement
def runs_of_engine(t: Terms) -> str:
    """Lock the runs that an engine held, without waiting for those that somebody else has locked."""
    return f"""
SELECT id, job, fence, attempt, max_attempts, on_crash, crashes, lost, interruptions, cancel_requested FROM {t.run}
WHERE owner = :owner AND engine = :engine ORDER BY id {t.for_update(skip_locked=True)}"""


def _free_crashed(conn: Conn, row: Any, exit_text: str, *, alone: bool) -> Freed:
    key, job, fence, attempt, max_attempts, on_crash, crashes, *_, cancel = row
    crashes += 1 if alone else 0
    blame = f"crash {crashes} of {MAX_CRASHES}" if alone else "together with others; it will run alone"
    message = f"its process died: {exit_text} ({blame})"
    if cancel:
        status = "CANCELLED"
    elif on_crash == "fail" or crashes >= MAX_CRASHES or (alone and attempt >= (max_attempts or attempt + 1)):
        status = "FAILED"
    else:
        status = "QUEUED"
    refund = 0 if alone or status != "QUEUED" else 1
    _write(conn, key, fence, status, "CRASHED", message, attempt, refund=refund, crashed=int(alone), suspect=1)
    return Freed(id_out(key), job, status)


def _free_innocent(conn: Conn, row: Any, exit_text: str, *, begun: bool) -> Freed:
    """Queue a run again; unless it had begun, and must not be begun twice or was lost too often to be innocent."""
    key, job, fence, attempt, _, on_crash, _, lost, _, cancel = row
    spent = begun and (on_crash == "fail" or lost + 1 >= MAX_LOST)
    status = "CANCELLED" if cancel else "FAILED" if spent else "QUEUED"
    message = f"its engine died of another run before this one was recorded: {exit_text}"
    outcome = "LOST" if begun else "RELEASED"
    _write(conn, key, fence, status, outcome, message, attempt, refund=int(status == "QUEUED"), lost=int(begun))
    return Freed(id_out(key), job, status)


def free_stopped(conn: Conn, worker: str, engine: int) -> list[Freed]:
    """Free what an engine still held when its worker stopped: interrupted, the attempt refunded.

    Call it inside a transaction.
    """
    return [_free_interrupted(conn, row) for row in _rows_of_engine(conn, worker, engine)]


def _free_interrupted(conn: Conn, row: Any) -> Freed:
    key, job, fence, attempt, *_, interruptions, cancel = row
    message = f"its worker stopped before it ended (time {interruptions + 1} of {MAX_INTERRUPTIONS})"
    status = "CANCELLED" if cancel else "FAILED" if interruptions + 1 >= MAX_INTERRUPTIONS else "QUEUED"
    refund = int(status == "QUEUED")
    _write(conn, key, fence, status, "INTERRUPTED", message, attempt, refund=refund, interrupted=1)
    return Freed(id_out(key), job, status)


def free_vanished(conn: Conn, worker: str, living: AbstractSet[int]) -> list[Freed]:
    """Free the runs of those engines of a worker that are not among ``living``: nobody saw how they ended.

    Call it inside a transaction.
    """
    owners = conn.rows(engines_of_worker, owner=id_in(conn.dialect, worker))
    gone = [engine for (engine,) in owners if engine not in living]
    rows = [row for engine in gone for row in _rows_of_engine(conn, worker, engine)]
    return [
        _free_lost(conn, (key, job, fence, attempt, lost, cancel), "engine")
        for key, job, fence, attempt, _, _, _, lost, _, cancel in rows
    ]


@statement
def engines_of_worker(t: Terms) -> str:
    """The engines of a worker that hold runs."""
    return f"SELECT DISTINCT engine FROM {t.run} WHERE owner = :owner"


def free_silent(conn: Conn, worker: str) -> list[Freed] | None:
    """Mark a silent worker dead and free its runs; None when it beat meanwhile or somebody is faster.

    Call it inside a transaction: the mark and the freeing stand or fall together.
    """
    key = id_in(conn.dialect, worker)
    if not conn.rows(lock_silent, id=key) or not conn.write(bury_silent, id=key):
        return None
    return [_free_lost(conn, row) for row in conn.rows(runs_of_worker, owner=key)]


@statement
def silent_workers(t: Terms) -> str:
    """Workers that have not beaten for too long."""
    return f"SELECT id FROM {t.worker} WHERE dead_at IS NULL AND {is_silent(t)}"


@statement
def lock_silent(t: Terms) -> str:
    """Lock a silent worker; not one that another has locked, who may be frozen and would hold up the other rescues."""
    return f"""
SELECT id FROM {t.worker} WHERE id = :id AND dead_at IS NULL AND {is_silent(t)} {t.for_update(skip_locked=True)}"""


@statement
def bury_silent(t: Terms) -> str:
    """Mark dead, only if still silent: the row's lock decides between rescuers and the worker's own beat."""
    return f"UPDATE {t.worker} SET dead_at = {t.now} WHERE id = :id AND dead_at IS NULL AND {is_silent(t)}"


@statement
def runs_of_worker(t: Terms) -> str:
    """Lock the runs that a worker held.

    Not those that an open transaction is ending (``complete_in`` on a host that froze): it would hold up the rescue
    of all others. They are ownerless from now on, and looked at again with every sweep.
    """
    return f"""
SELECT id, job, fence, attempt, lost, cancel_requested FROM {t.run} WHERE owner = :owner
ORDER BY id {t.for_update(skip_locked=True)}"""


@statement
def ownerless(t: Terms) -> str:
    """Owners of RUNNING runs that no living worker row stands behind (a row was deleted, a claim raced)."""
    return f"""
SELECT DISTINCT r.owner FROM {t.run} AS r WHERE r.owner IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM {t.worker} AS w WHERE w.id = r.owner AND w.dead_at IS NULL)"""


def silent(conn: Conn) -> list[str]:
    """Return the ids of workers to try ``free_silent`` on."""
    return [id_out(row[0]) for row in conn.rows(silent_workers)]


def free_ownerless(conn: Conn) -> list[Freed]:
    """Free runs whose owner has no living worker row. Call it inside a transaction."""
    owners = [row[0] for row in conn.rows(ownerless)]
    return [_free_lost(conn, row) for owner in owners for row in conn.rows(runs_of_worker, owner=owner)]


def _free_lost(conn: Conn, row: Any, who: str = "worker") -> Freed:
    key, job, fence, attempt, lost, cancel = row
    message = f"its {who} vanished without a word (time {lost + 1} of {MAX_LOST})"
    status = "CANCELLED" if cancel else "FAILED" if lost + 1 >= MAX_LOST else "QUEUED"
    _write(conn, key, fence, status, "LOST", message, attempt, refund=int(status == "QUEUED"), lost=1)
    return Freed(id_out(key), job, status)


def _write(  # noqa: PLR0913 - one call per freed run, every argument a column
    conn: Conn,
    key: Any,
    fence: int,
    status: str,
    outcome: str,
    message: str,
    attempt: int,
    *,
    refund: int,
    crashed: int = 0,
    suspect: int = 0,
    lost: int = 0,
    interrupted: int = 0,
) -> None:
    kind = outcome.capitalize()
    if outcome != "RELEASED":
        conn.write(
            tell_freed, id=key, fence=fence, attempt=attempt, outcome=outcome, error_type=kind, error_message=message
        )
    conn.write(
        free_run,
        id=key,
        fence=fence,
        status=status,
        waits=int(status == "QUEUED"),
        refund=refund,
        crashed=crashed,
        suspect=suspect,
        lost=lost,
        interrupted=interrupted,
        error=None if status == "QUEUED" else error_text(kind, message),
    )


@statement
def tell_freed(t: Terms) -> str:
    """Tell the attempt that its process did not live to tell."""
    nothing = (
        f"ON DUPLICATE KEY UPDATE ended_at = {t.attempt}.ended_at" if t.dialect == "mysql" else "ON CONFLICT DO NOTHING"
    )
    return f"""
INSERT INTO {t.attempt}
  (run_id, fence, attempt, outcome, worker_id, engine, started_at, ended_at, error_type, error_message)
SELECT r.id, :fence, :attempt, :outcome, r.worker_id, r.engine, r.started_at, {t.now}, :error_type, :error_message
FROM {t.run} AS r WHERE r.id = :id
{nothing}"""


@statement
def free_run(t: Terms) -> str:
    """Take a run from its dead owner."""
    waits = ":waits = 1"
    slot = release_unique(t).removeprefix("unique_slot = ")
    return f"""
UPDATE {t.run} SET status = :status, owner = NULL, fence = fence + 1,
  ready_queue = CASE WHEN {waits} THEN queue END,
  queued_at = CASE WHEN {waits} THEN {t.now} ELSE queued_at END,
  completed_at = CASE WHEN {waits} THEN NULL ELSE {t.now} END,
  unique_slot = CASE WHEN {waits} THEN unique_slot ELSE {slot} END,
  attempt = attempt - :refund, crashes = crashes + :crashed, lost = lost + :lost,
  interruptions = interruptions + :interrupted,
  suspect = CASE WHEN :suspect = 1 THEN 1 ELSE suspect END,
  cancel_requested = 0, error = :error
WHERE id = :id AND status = 'RUNNING' AND fence = :fence"""

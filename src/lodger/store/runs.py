"""Runs, read and acted on by id: get, cancel, retry, complete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from lodger.errors import RunNotFound, WrongStatus
from lodger.model.payload import decode
from lodger.model.run import Attempt, Progress, RunError, RunRecord
from lodger.model.status import Status
from lodger.store.fragments import release_unique
from lodger.store.rescue import tell_freed
from lodger.store.sql import DialectName, Terms, statement
from lodger.store.steps import Step, Steps
from lodger.store.values import id_in, id_or_none, id_out, time_out

TRIES: Final = 4
READ: Final = (
    "id, job, queue, status, claim_rank, attempt, max_attempts, fence, crashes, interruptions, lost, args, meta, "
    "tags, result, error, progress, checkpoint, cancel_requested, worker_id, run_at, queued_at, started_at, "
    "completed_at, expires_at"
)


def get(dialect: DialectName, run_id: str) -> Steps[RunRecord]:
    """Return the run, its last error with its traceback; raise RunNotFound."""
    rows = yield Step(select_run, {"id": id_in(dialect, run_id)}, answers=True)
    if not rows:
        raise RunNotFound(run_id)
    names = READ.replace(" ", "").split(",")
    row = dict(zip(names, rows[0], strict=True))
    traceback = None
    if row["error"]:
        told = yield Step(last_traceback, {"id": id_in(dialect, run_id)}, answers=True)
        traceback = told[0][0] if told else None
    return _record(row, traceback)


@statement
def select_run(t: Terms) -> str:
    """One run by id."""
    return f"SELECT {READ} FROM {t.run} WHERE id = :id"


@statement
def last_traceback(t: Terms) -> str:
    """The traceback of the last attempt that has one."""
    return f"""
SELECT traceback FROM {t.attempt} WHERE run_id = :id AND error_message IS NOT NULL ORDER BY fence DESC LIMIT 1"""


def _record(row: dict[str, Any], traceback: str | None) -> RunRecord:
    error = decode(row["error"])
    progress = decode(row["progress"])
    return RunRecord(
        id=id_out(row["id"]),
        job=row["job"],
        queue=row["queue"],
        status=Status(row["status"]),
        priority=-row["claim_rank"],
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        fence=row["fence"],
        crashes=row["crashes"],
        interruptions=row["interruptions"],
        lost=row["lost"],
        args=decode(row["args"]),
        meta=decode(row["meta"]) or {},
        tags=tuple(decode(row["tags"]) or ()),
        result=decode(row["result"]),
        error=RunError(type=error["type"], message=error["message"], traceback=traceback) if error else None,
        progress=Progress(**progress) if progress else None,
        checkpoint=decode(row["checkpoint"]),
        cancel_requested=bool(row["cancel_requested"]),
        worker_id=id_or_none(row["worker_id"]),
        **{name: time_out(row[name]) for name in ("run_at", "queued_at", "started_at", "completed_at", "expires_at")},
    )


def attempts(dialect: DialectName, run_id: str) -> Steps[list[Attempt]]:
    """Return the attempts told of a run, oldest first (a first success is told by the run itself)."""
    rows = yield Step(select_attempts, {"id": id_in(dialect, run_id)}, answers=True)
    return [_attempt(row) for row in rows]


@statement
def select_attempts(t: Terms) -> str:
    """The attempts of a run in order."""
    return f"""
SELECT run_id, fence, attempt, outcome, worker_id, started_at, ended_at, error_type, error_message, traceback
FROM {t.attempt} WHERE run_id = :id ORDER BY fence"""


def _attempt(row: Sequence[Any]) -> Attempt:
    error = RunError(type=row[7], message=row[8], traceback=row[9]) if row[7] else None
    ended_at = time_out(row[6])
    assert ended_at is not None
    return Attempt(
        run_id=id_out(row[0]),
        fence=row[1],
        attempt=row[2],
        outcome=row[3],
        worker_id=id_or_none(row[4]),
        started_at=time_out(row[5]),
        ended_at=ended_at,
        error=error,
    )


def cancel(dialect: DialectName, run_id: str, *, force: bool = False) -> Steps[Status]:
    """Cancel a run; return the status it has now.

    A waiting run is CANCELLED at once. A running one is asked to stop and stays RUNNING until it has; should its
    attempt end otherwise meanwhile, it is not tried again. With ``force`` it is CANCELLED at once and its worker's
    answer will be refused. One that is CANCELLED stays so, whoever did it: the reply may have been lost. Raises
    RunNotFound, and WrongStatus when the run has ended otherwise.
    """
    key = {"id": id_in(dialect, run_id)}
    status = Status.RUNNING
    for _ in range(TRIES):  # the run may move between the statements; each one is guarded by the status
        if (yield Step(cancel_waiting, key)):
            return Status.CANCELLED
        if force:
            rows = yield Step(lease_of, key, answers=True)
            if rows and (yield Step(cancel_by_force, key | {"fence": rows[0][0]})):
                told = {"fence": rows[0][0], "attempt": rows[0][1], "outcome": "CANCELLED"}
                error = {"error_type": "Cancelled", "error_message": "cancelled by force"}
                yield Step(tell_freed, key | told | error)
                return Status.CANCELLED
        elif (yield Step(ask_to_stop, key)):
            return Status.RUNNING
        status, asked, _ = yield from _status(dialect, run_id)
        if status is Status.CANCELLED:
            return status
        if asked and not force and status is Status.RUNNING:
            return status  # asked before: some drivers of MySQL count changed rows, not matched ones
        if status.is_terminal:
            raise WrongStatus(run_id, status, "cancel", "SCHEDULED, BLOCKED, QUEUED, RUNNING")
    raise WrongStatus(run_id, status, "cancel", "a run that does not change all the time")


def _status(dialect: DialectName, run_id: str) -> Steps[tuple[Status, bool, int]]:
    rows = yield Step(status_of, {"id": id_in(dialect, run_id)}, answers=True)
    if not rows:
        raise RunNotFound(run_id)
    return Status(rows[0][0]), bool(rows[0][1]), int(rows[0][2])


@statement
def status_of(t: Terms) -> str:
    """The status of a run, whether it was asked to stop, and its fence."""
    return f"SELECT status, cancel_requested, fence FROM {t.run} WHERE id = :id {t.latest()}"


@statement
def lease_of(t: Terms) -> str:
    """Fence and attempt of a running run."""
    return f"SELECT fence, attempt FROM {t.run} WHERE id = :id AND status = 'RUNNING' {t.for_update()}"


@statement
def cancel_waiting(t: Terms) -> str:
    """Cancel a run that has not been claimed."""
    return f"""
UPDATE {t.run} SET status = 'CANCELLED', ready_queue = NULL, scheduled_at = NULL, completed_at = {t.now},
  {release_unique(t)}
WHERE id = :id AND status IN ('SCHEDULED', 'BLOCKED', 'QUEUED')"""


@statement
def ask_to_stop(t: Terms) -> str:
    """Ask the owner of a running run to stop it."""
    return f"UPDATE {t.run} SET cancel_requested = 1 WHERE id = :id AND status = 'RUNNING'"


@statement
def cancel_by_force(t: Terms) -> str:
    """Take a running run from its owner."""
    return f"""
UPDATE {t.run} SET status = 'CANCELLED', owner = NULL, fence = fence + 1, completed_at = {t.now},
  cancel_requested = 0, {release_unique(t)}
WHERE id = :id AND status = 'RUNNING' AND fence = :fence"""


def ended_fence(dialect: DialectName, run_id: str) -> Steps[int]:
    """Return the fence under which a run has ended. Raises RunNotFound, and WrongStatus when it has not."""
    status, _, fence = yield from _status(dialect, run_id)
    if not status.is_terminal:
        raise WrongStatus(run_id, status, "retry", "SUCCEEDED, FAILED, CANCELLED")
    return fence


def retry(dialect: DialectName, run_id: str, fence: int | None = None) -> Steps[str]:
    """Queue an ended run again with one more attempt; return its queue.

    Raises RunNotFound, and WrongStatus when the run has not ended. Its unique key is not taken again. ``fence``: what
    ``ended_fence`` said, asked once for all repetitions; when it has moved on, the run is queued again already, by an
    earlier commit whose reply was lost, and not once more.
    """
    if fence is None:
        fence = yield from ended_fence(dialect, run_id)
    key = {"id": id_in(dialect, run_id)}
    yield Step(retry_ended, key | {"fence": fence})
    rows = yield Step(queue_of, key, answers=True)
    if not rows:
        raise RunNotFound(run_id)
    return str(rows[0][0])


@statement
def retry_ended(t: Terms) -> str:
    """Queue an ended run again."""
    return f"""
UPDATE {t.run} SET status = 'QUEUED', ready_queue = queue, fence = fence + 1, queued_at = {t.now}, run_at = {t.now},
  completed_at = NULL, expires_at = NULL, error = NULL, result = NULL, progress = NULL, cancel_requested = 0,
  crashes = 0, interruptions = 0, lost = 0,
  max_attempts = CASE WHEN max_attempts <= attempt THEN attempt + 1 ELSE max_attempts END
WHERE id = :id AND fence = :fence AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"""


@statement
def queue_of(t: Terms) -> str:
    """The queue of a run."""
    return f"SELECT queue FROM {t.run} WHERE id = :id"


def complete(dialect: DialectName, run_id: str, fence: int, result: str | None) -> Steps[bool]:
    """End a running run SUCCEEDED inside the caller's transaction; False when the lease is lost."""
    params = {"id": id_in(dialect, run_id), "fence": fence, "result": result}
    return bool((yield Step(complete_run, params)))


@statement
def complete_run(t: Terms) -> str:
    """SUCCEEDED, in the transaction that holds the job's own effects."""
    return f"""
UPDATE {t.run} SET status = 'SUCCEEDED', owner = NULL, completed_at = {t.now}, result = :result, error = NULL,
  cancel_requested = 0, {release_unique(t)}
WHERE id = :id AND status = 'RUNNING' AND fence = :fence"""


def poll_result(dialect: DialectName, run_id: str) -> Steps[tuple[Status, str | None, str | None]]:
    """Return (status, result, error) of a run, both as JSON text."""
    rows = yield Step(select_result, {"id": id_in(dialect, run_id)}, answers=True)
    if not rows:
        raise RunNotFound(run_id)
    return Status(rows[0][0]), rows[0][1], rows[0][2]


@statement
def select_result(t: Terms) -> str:
    """What a waiting caller wants to know."""
    return f"SELECT status, result, error FROM {t.run} WHERE id = :id"


def error_message(error: str | None) -> str:
    """Return 'Type: message' of a run's error column."""
    value = json.loads(error) if error else {"type": "Unknown", "message": "no error was recorded"}
    return f"{value['type']}: {value['message']}"

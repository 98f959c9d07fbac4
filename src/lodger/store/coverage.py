"""Coverage: which workers there are and which work waits, as `lodger.model.coverage` judges it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

from lodger.model.coverage import EngineState, Look, SeenWorker, Waiting
from lodger.store.claims import queues_with_work
from lodger.store.database import Conn
from lodger.store.fragments import age_us, is_silent
from lodger.store.sql import Terms, statement
from lodger.store.values import id_out, microseconds, time_out

REMEMBERED_SECONDS: Final = 600.0
"""How long a dead worker is still seen: whether it left in order decides how soon another takes over."""
SAMPLE: Final = 1000


def look(conn: Conn) -> Look:
    """Return who is there and what waits at the heads of the queues: cheap enough for every few seconds."""
    return Look(workers=tuple(workers(conn)), waiting=tuple(waiting_heads(conn)))


def workers(conn: Conn, remembered_seconds: float = REMEMBERED_SECONDS) -> list[SeenWorker]:
    """Return the workers that are not dead, or have not been for long, the newest first."""
    rows = conn.dicts(seen_workers, remembered_us=-microseconds(remembered_seconds))
    return [_seen(row) for row in rows]


@statement
def seen_workers(t: Terms) -> str:
    """Workers, with whether they still beat, and the clock that their times are to be read by."""
    return f"""
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, {t.now} AS now_at,
  CASE WHEN dead_at IS NULL AND NOT {is_silent(t)} THEN 1 ELSE 0 END AS is_live
FROM {t.worker} WHERE dead_at IS NULL OR dead_at > {t.after(":remembered_us")} ORDER BY started_at DESC, id"""


def _seen(row: dict[str, Any]) -> SeenWorker:
    now, beat_at = time_out(row["now_at"]), time_out(row["beat_at"])
    assert now is not None
    assert beat_at is not None
    return SeenWorker(
        id=id_out(row["id"]),
        environment=row["environment"],
        release=row["app_release"],
        placement=row["placement"],
        host=row["host"],
        pid=row["pid"],
        queues=tuple(json.loads(row["queues"])),
        jobs=frozenset(json.loads(row["jobs"])),
        engines=tuple(_engine(told) for told in json.loads(row["engines"])),
        is_live=bool(row["is_live"]),
        beat_at=beat_at,
        age_seconds=_since(now, row["started_at"]) or 0.0,
        beat_seconds=(now - beat_at) / timedelta(seconds=1),
        claim_seconds=_since(now, row["last_claim_at"]),
        stopping_seconds=_since(now, row["stopping_at"]),
        dead_seconds=_since(now, row["dead_at"]),
    )


def _engine(told: dict[str, Any]) -> EngineState:
    """Read an engine's state as another release may have written it: unknown keys ignored, missing ones usual."""
    return EngineState(
        number=told.get("number", 1),
        state=told.get("state", "starting"),
        active=told.get("active", 0),
        full=told.get("full", False),
        deaths=told.get("deaths", 0),
        error=told.get("error"),
        yields=frozenset((queue, job) for queue, job in told.get("yields", ())),
        apart=frozenset(told.get("apart", ())),
    )


def _since(now: datetime, value: Any) -> float | None:
    then = time_out(value)
    return None if then is None else max(0.0, (now - then) / timedelta(seconds=1))


def waiting(conn: Conn) -> list[Waiting]:
    """Return all work that is due and not claimed, by queue and job, the oldest first.

    Reads every waiting run's index entry and no ended run. Runs that are due but still SCHEDULED count
    too: promoting them is a worker's chore, so without a worker they would never become QUEUED.
    """
    return sorted(map(_waiting, conn.rows(waiting_pairs)), key=lambda one: (-one.oldest_seconds, one.pair))


def waiting_heads(conn: Conn, sample: int = SAMPLE) -> list[Waiting]:
    """Return the work at the head of each queue that is not paused: as ``waiting``, but of ``sample`` runs per queue.

    For those who look every few seconds: its cost does not grow with the backlog.
    """
    found = [
        _waiting((queue, *row, 0))
        for queue in queues_with_work(conn)
        for row in conn.rows(waiting_head, queue=queue, sample=sample)
    ]
    found += map(_waiting, conn.rows(overdue_heads, sample=sample))
    return found


def _waiting(row: Any) -> Waiting:
    queue, job, count, oldest_us, paused = row
    return Waiting(
        queue=queue,
        job=job,
        count=int(count),
        oldest_seconds=max(0, int(oldest_us)) / 1e6,
        paused=bool(paused),
    )


def _by_pair(t: Terms, due: str) -> str:
    """Return what ``due`` selects (queue, job, since), counted by queue and job, with whether the queue is paused."""
    return f"""
SELECT p.queue, p.job, p.runs, {age_us(t, "p.since")}, CASE WHEN EXISTS (
    SELECT 1 FROM {t.queue} AS q WHERE q.name = p.queue AND q.paused_at IS NOT NULL) THEN 1 ELSE 0 END
FROM (SELECT w.queue, w.job, COUNT(*) AS runs, MIN(w.since) AS since FROM (
  {due}
) AS w GROUP BY w.queue, w.job) AS p"""


@statement
def waiting_pairs(t: Terms) -> str:
    """Due work by queue and job.

    Its age is read off run_at, which is in the index (queued_at is not): a run that was given back is as old
    as its first wait.
    """
    due = f"""SELECT ready_queue AS queue, job, run_at AS since FROM {t.run} WHERE ready_queue IS NOT NULL
  UNION ALL
  SELECT queue, job, scheduled_at FROM {t.run} WHERE scheduled_at <= {t.now}"""
    return _by_pair(t, due)


@statement
def waiting_head(t: Terms) -> str:
    """Due work at the head of one queue, by job."""
    return f"""
SELECT job, COUNT(*), {age_us(t, "MIN(run_at)")} FROM (
  SELECT job, run_at FROM {t.run} WHERE ready_queue = :queue ORDER BY claim_rank, run_at, id LIMIT :sample
) AS head GROUP BY job"""


@statement
def overdue_heads(t: Terms) -> str:
    """Work that is due and was not promoted, by queue and job."""
    due = f"""SELECT queue, job, scheduled_at AS since FROM {t.run}
  WHERE scheduled_at <= {t.now} ORDER BY scheduled_at LIMIT :sample"""
    return _by_pair(t, due)

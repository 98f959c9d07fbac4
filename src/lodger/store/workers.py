"""Workers: one row per supervisor, beaten while it lives, marked dead by whoever finds it silent."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lodger.store.database import Conn
from lodger.store.fragments import is_silent
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in, id_out, microseconds, time_out


@dataclass(frozen=True, kw_only=True, slots=True)
class NewWorker:
    """A supervisor about to start its engines."""

    id: str
    environment: str
    release: str
    placement: str
    host: str
    pid: int
    queues: tuple[str, ...]
    """Empty: all queues, also those not seen yet."""
    dead_after_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRecord:
    """A worker as it stands in the database; ``silent_seconds`` by the database's clock."""

    id: str
    environment: str
    release: str
    placement: str
    host: str
    pid: int
    queues: tuple[str, ...]
    jobs: tuple[str, ...]
    engines: list[dict[str, Any]] = field(default_factory=list)
    started_at: datetime | None = None
    beat_at: datetime | None = None
    last_claim_at: datetime | None = None
    stopping_at: datetime | None = None
    dead_at: datetime | None = None
    is_live: bool = False


def register(conn: Conn, worker: NewWorker) -> None:
    """Insert the row of a worker; its jobs follow with the first beat, when an engine has imported the app."""
    conn.write(
        insert_worker,
        id=id_in(conn.dialect, worker.id),
        environment=worker.environment,
        app_release=worker.release,
        placement=worker.placement,
        host=worker.host[:255],
        pid=worker.pid,
        queues=json.dumps(worker.queues),
        dead_after_us=microseconds(worker.dead_after_seconds),
    )


@statement
def insert_worker(t: Terms) -> str:
    """Add a worker, alive from now."""
    return f"""
INSERT INTO {t.worker} (id, environment, app_release, placement, host, pid, queues, jobs, engines,
  dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :queues, '[]', '[]',
  :dead_after_us, {t.now}, {t.now})"""


def beat(
    conn: Conn, worker: str, *, jobs: tuple[str, ...], engines: list[dict[str, Any]], claimed: bool, stopping: bool
) -> bool:
    """Say that the worker lives; False when somebody has declared it dead (it must start anew)."""
    matched = conn.write(
        beat_worker,
        id=id_in(conn.dialect, worker),
        jobs=json.dumps(jobs),
        engines=json.dumps(engines),
        claimed=1 if claimed else 0,
        stopping=1 if stopping else 0,
    )
    return matched == 1


@statement
def beat_worker(t: Terms) -> str:
    """Beat, unless dead: a dead worker does not rise under the same id."""
    return f"""
UPDATE {t.worker} SET beat_at = {t.now}, jobs = :jobs, engines = :engines,
  last_claim_at = CASE WHEN :claimed = 1 THEN {t.now} ELSE last_claim_at END,
  stopping_at = CASE WHEN :stopping = 1 THEN COALESCE(stopping_at, {t.now}) END
WHERE id = :id AND dead_at IS NULL"""


def leave(conn: Conn, worker: str) -> None:
    """Mark a worker that stopped in order as gone."""
    conn.write(bury_worker, id=id_in(conn.dialect, worker))


def leave_last(conn: Conn, worker: str, engine: int) -> None:
    """Mark the worker of an engine that goes as gone, unless another engine of it still has runs."""
    conn.write(bury_worker_of, id=id_in(conn.dialect, worker), engine=engine)


@statement
def bury_worker_of(t: Terms) -> str:
    """Mark dead what no other engine needs: those that beat for themselves share the worker's row."""
    return f"""
UPDATE {t.worker} SET dead_at = {t.now}, stopping_at = COALESCE(stopping_at, {t.now})
WHERE id = :id AND dead_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM {t.run} AS r WHERE r.owner = :id AND r.engine <> :engine)"""


@statement
def bury_worker(t: Terms) -> str:
    """Mark dead whatever the beat says; ``stopping_at`` beside it tells that it left in order."""
    return f"""
UPDATE {t.worker} SET dead_at = {t.now}, stopping_at = COALESCE(stopping_at, {t.now})
WHERE id = :id AND dead_at IS NULL"""


def listing(conn: Conn, *, dead_too: bool = False) -> list[WorkerRecord]:
    """Return the workers, newest first; the dead only if asked for."""
    return [_record(row) for row in conn.dicts(list_workers, dead_too=1 if dead_too else 0)]


@statement
def list_workers(t: Terms) -> str:
    """All workers with whether they still beat."""
    return f"""
SELECT id, environment, app_release, placement, host, pid, queues, jobs, engines, started_at, beat_at,
  last_claim_at, stopping_at, dead_at, CASE WHEN dead_at IS NULL AND NOT {is_silent(t)} THEN 1 ELSE 0 END AS is_live
FROM {t.worker} WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id"""


def _record(row: dict[str, Any]) -> WorkerRecord:
    return WorkerRecord(
        id=id_out(row["id"]),
        environment=row["environment"],
        release=row["app_release"],
        placement=row["placement"],
        host=row["host"],
        pid=row["pid"],
        queues=tuple(json.loads(row["queues"])),
        jobs=tuple(json.loads(row["jobs"])),
        engines=json.loads(row["engines"]),
        started_at=time_out(row["started_at"]),
        beat_at=time_out(row["beat_at"]),
        last_claim_at=time_out(row["last_claim_at"]),
        stopping_at=time_out(row["stopping_at"]),
        dead_at=time_out(row["dead_at"]),
        is_live=bool(row["is_live"]),
    )

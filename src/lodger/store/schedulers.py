"""Schedule daemons: one row for each, beaten while it lives.

No fire depends on it: it says who is there, and whose declarations count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lodger.model.orphans import Overdue
from lodger.store.database import Conn
from lodger.store.fragments import age_us, is_silent
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in, id_out, microseconds, time_out


@dataclass(frozen=True, kw_only=True, slots=True)
class NewScheduler:
    """A schedule daemon about to start."""

    id: str
    environment: str
    release: str
    placement: str
    host: str
    pid: int
    dead_after_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SchedulerRecord:
    """A schedule daemon as it stands in the database."""

    id: str
    environment: str
    release: str
    placement: str
    host: str
    pid: int
    started_at: datetime | None
    beat_at: datetime | None
    last_fire_at: datetime | None
    dead_at: datetime | None
    is_live: bool


def register(conn: Conn, scheduler: NewScheduler) -> None:
    """Insert the row of a daemon."""
    conn.write(
        insert_scheduler,
        id=id_in(conn.dialect, scheduler.id),
        environment=scheduler.environment,
        app_release=scheduler.release,
        placement=scheduler.placement,
        host=scheduler.host[:255],
        pid=scheduler.pid,
        dead_after_us=microseconds(scheduler.dead_after_seconds),
    )


@statement
def insert_scheduler(t: Terms) -> str:
    """Add a daemon, alive from now."""
    return f"""
INSERT INTO {t.scheduler} (id, environment, app_release, placement, host, pid, dead_after_us, started_at, beat_at)
VALUES (:id, :environment, :app_release, :placement, :host, :pid, :dead_after_us, {t.now}, {t.now})"""


def beat(conn: Conn, scheduler: str, *, fired: bool) -> bool:
    """Say that the daemon lives; False when it was declared dead (it registers anew)."""
    return conn.write(beat_scheduler, id=id_in(conn.dialect, scheduler), fired=int(fired)) == 1


@statement
def beat_scheduler(t: Terms) -> str:
    """Beat, unless dead."""
    return f"""
UPDATE {t.scheduler} SET beat_at = {t.now}, last_fire_at = CASE WHEN :fired = 1 THEN {t.now} ELSE last_fire_at END
WHERE id = :id AND dead_at IS NULL"""


def leave(conn: Conn, scheduler: str) -> None:
    """Mark a daemon that stopped in order as gone."""
    conn.write(bury_scheduler, id=id_in(conn.dialect, scheduler))


@statement
def bury_scheduler(t: Terms) -> str:
    """Mark dead whatever the beat says."""
    return f"UPDATE {t.scheduler} SET dead_at = {t.now} WHERE id = :id AND dead_at IS NULL"


def bury_silent(conn: Conn) -> int:
    """Mark the daemons dead that fell silent; return how many."""
    return conn.write(bury_silent_schedulers)


@statement
def bury_silent_schedulers(t: Terms) -> str:
    """Mark dead what has not beaten for too long."""
    return f"UPDATE {t.scheduler} SET dead_at = {t.now} WHERE dead_at IS NULL AND {is_silent(t)}"


def prune(conn: Conn, older_than_seconds: float) -> int:
    """Forget daemons that have been dead that long; return how many."""
    return conn.write(delete_dead_schedulers, age_us=-microseconds(older_than_seconds))


@statement
def delete_dead_schedulers(t: Terms) -> str:
    """Forget daemons that died long ago."""
    return f"DELETE FROM {t.scheduler} WHERE dead_at < {t.after(':age_us')}"


def listing(conn: Conn, *, dead_too: bool = False) -> list[SchedulerRecord]:
    """Return the daemons, newest first; the dead only if asked for."""
    return [_record(row) for row in conn.dicts(list_schedulers, dead_too=int(dead_too))]


@statement
def list_schedulers(t: Terms) -> str:
    """All daemons with whether they still beat."""
    return f"""
SELECT id, environment, app_release, placement, host, pid, started_at, beat_at, last_fire_at, dead_at,
  CASE WHEN dead_at IS NULL AND NOT {is_silent(t)} THEN 1 ELSE 0 END AS is_live
FROM {t.scheduler} WHERE dead_at IS NULL OR :dead_too = 1 ORDER BY started_at DESC, id"""


def _record(row: dict[str, Any]) -> SchedulerRecord:
    return SchedulerRecord(
        id=id_out(row["id"]),
        environment=row["environment"],
        release=row["app_release"],
        placement=row["placement"],
        host=row["host"],
        pid=row["pid"],
        is_live=bool(row["is_live"]),
        **{name: time_out(row[name]) for name in ("started_at", "beat_at", "last_fire_at", "dead_at")},
    )


def overdue(conn: Conn) -> Overdue:
    """Return how many schedules are due, and how many daemons live to fire them: one small read.

    What is due has not been fired yet, by anybody: a moment of it is usual.
    """
    count, oldest_us, daemons = conn.rows(overdue_schedules)[0]
    return Overdue(count=int(count), oldest_seconds=max(0, int(oldest_us or 0)) / 1e6, daemons=int(daemons))


@statement
def overdue_schedules(t: Terms) -> str:
    """Schedules that are due, since when, and the live daemons."""
    return f"""
SELECT COUNT(*), {age_us(t, "MIN(due_at)")},
  (SELECT COUNT(*) FROM {t.scheduler} WHERE dead_at IS NULL AND NOT {is_silent(t)})
FROM {t.schedule} WHERE due_at <= {t.now}"""

"""Schedules, the instants they were fired for, schedule daemons, and who declares what.

A schedule's ``due_at`` is its next instant while it may fire, and NULL while it is paused or nobody declares it:
what the daemons search holds nothing else. ``version`` grows with every change of a row, so whoever acts on what he
read a moment ago (fires, pauses, declares) finds out that he is too late.

``fire`` has at most one row per schedule and instant. A ``declaration`` says that a worker or daemon (its
``owner``) runs code that declares a schedule.
"""

from __future__ import annotations

from lodger.store.migrations.types import column, table
from lodger.store.sql import Terms

VERSION = 2


def statements(t: Terms) -> list[str]:
    """Return the statements of this migration, each safe to repeat."""
    return [_schedules(t), _fires(t), _schedulers(t), _declarations(t), *_indexes(t)]


def _schedules(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "id", "name", "NOT NULL"),
        column(d, "origin", "word", "NOT NULL"),
        column(d, "timetable", "text", "NOT NULL"),
        column(d, "job", "name", "NOT NULL"),
        column(d, "queue", "name", "NOT NULL"),
        column(d, "template", "text", "NOT NULL"),
        column(d, "overlap", "word", "NOT NULL"),
        column(d, "misfire", "word", "NOT NULL"),
        column(d, "jitter_us", "long", "NOT NULL"),
        column(d, "digest", "hash", "NOT NULL"),
        column(d, "declared_by", "id"),
        column(d, "version", "long", "NOT NULL DEFAULT 0"),
        column(d, "next_at", "time"),
        column(d, "due_at", "time"),
        column(d, "paused_at", "time"),
        column(d, "undeclared_at", "time"),
        column(d, "missed_at", "time"),
        column(d, "last_at", "time"),
        column(d, "last_run_id", "id"),
        column(d, "fired", "long", "NOT NULL DEFAULT 0"),
        column(d, "skipped", "long", "NOT NULL DEFAULT 0"),
        column(d, "error", "text"),
        column(d, "created_at", "time", "NOT NULL"),
        "CHECK (due_at IS NULL OR (paused_at IS NULL AND undeclared_at IS NULL))",
    ]
    if d == "mysql":
        parts.append(f"KEY {t.tables.prefix}schedule_due (due_at)")
    return table(d, t.schedule, parts, "id")


def _fires(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "schedule_id", "name", "NOT NULL"),
        column(d, "instant", "time", "NOT NULL"),
        column(d, "outcome", "word", "NOT NULL"),
        column(d, "run_id", "id"),
        column(d, "scheduler_id", "id"),
        column(d, "fired_at", "time", "NOT NULL"),
    ]
    if d == "mysql":
        parts.append(f"KEY {t.tables.prefix}fire_fired (fired_at)")
    return table(d, t.fire, parts, "schedule_id, instant")


def _schedulers(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "id", "id", "NOT NULL"),
        column(d, "environment", "label", "NOT NULL"),
        column(d, "app_release", "label", "NOT NULL"),
        column(d, "placement", "word", "NOT NULL"),
        column(d, "host", "label", "NOT NULL"),
        column(d, "pid", "long", "NOT NULL"),
        column(d, "dead_after_us", "long", "NOT NULL"),
        column(d, "started_at", "time", "NOT NULL"),
        column(d, "beat_at", "time", "NOT NULL"),
        column(d, "last_fire_at", "time"),
        column(d, "dead_at", "time"),
    ]
    return table(d, t.scheduler, parts, "id")


def _declarations(t: Terms) -> str:
    d = t.dialect
    parts = [column(d, "schedule_id", "name", "NOT NULL"), column(d, "owner", "id", "NOT NULL")]
    return table(d, t.declaration, parts, "schedule_id, owner")


def _indexes(t: Terms) -> list[str]:
    if t.dialect == "mysql":
        return []
    p = t.tables.prefix
    return [
        f"CREATE INDEX IF NOT EXISTS {p}schedule_due ON {t.schedule} (due_at) WHERE due_at IS NOT NULL",
        f"CREATE INDEX IF NOT EXISTS {p}fire_fired ON {t.fire} (fired_at)",
    ]

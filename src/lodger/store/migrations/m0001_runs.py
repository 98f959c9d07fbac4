"""Runs, attempts, workers, queues, log.

One hot table. Three nullable columns say in which state a run is, each NULL unless the run is in it:

    ready_queue    its queue, while QUEUED         what the claim searches
    scheduled_at   its due time, while SCHEDULED   what the promotion searches
    owner          its worker, while RUNNING       what rescue and cancel search

so each index holds (or, in InnoDB, usefully holds) the rows of one state only, the same on all engines,
and a million finished rows slow nothing. A CHECK keeps them in step with ``status``. The claim's index ends
with ``job``, so that runs which this worker cannot execute are passed over without reading their rows.
"""

from __future__ import annotations

from lodger.store.migrations.types import column, table
from lodger.store.sql import Terms

VERSION = 1


def statements(t: Terms) -> list[str]:
    """Return the statements of this migration, each safe to repeat."""
    return [_runs(t), *_run_indexes(t), *_tuning(t), _attempts(t), _workers(t), _queues(t), _log(t)]


def _runs(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "id", "id", "NOT NULL"),
        column(d, "job", "name", "NOT NULL"),
        column(d, "queue", "name", "NOT NULL"),
        column(d, "status", "word", "NOT NULL"),
        column(d, "claim_rank", "int", "NOT NULL"),
        column(d, "ready_queue", "name"),
        column(d, "scheduled_at", "time"),
        column(d, "owner", "id"),
        column(d, "engine", "int", "NOT NULL DEFAULT 0"),
        column(d, "fence", "int", "NOT NULL DEFAULT 0"),
        column(d, "attempt", "int", "NOT NULL DEFAULT 0"),
        column(d, "max_attempts", "int"),
        column(d, "on_crash", "word"),
        column(d, "crashes", "small", "NOT NULL DEFAULT 0"),
        column(d, "interruptions", "small", "NOT NULL DEFAULT 0"),
        column(d, "lost", "small", "NOT NULL DEFAULT 0"),
        column(d, "suspect", "flag", "NOT NULL DEFAULT 0"),
        column(d, "cancel_requested", "flag", "NOT NULL DEFAULT 0"),
        column(d, "unique_slot", "hash"),
        column(d, "unique_until", "time"),
        column(d, "unique_scope", "word"),
        column(d, "run_at", "time", "NOT NULL"),
        column(d, "queued_at", "time"),
        column(d, "started_at", "time"),
        column(d, "completed_at", "time"),
        column(d, "expires_at", "time"),
        column(d, "worker_id", "id"),
        column(d, "args", "text", "NOT NULL"),
        column(d, "options", "text"),
        column(d, "meta", "text"),
        column(d, "tags", "text"),
        column(d, "result", "text"),
        column(d, "error", "text"),
        column(d, "progress", "text"),
        column(d, "checkpoint", "text"),
        "CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL))",
        "CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL))",
        "CHECK ((status = 'RUNNING') = (owner IS NOT NULL))",
    ]
    if d == "mysql":  # no partial indexes, and no CREATE INDEX IF NOT EXISTS in MySQL: name them here
        parts += [
            f"KEY {t.tables.prefix}run_ready (ready_queue, claim_rank, run_at, id, job)",
            f"KEY {t.tables.prefix}run_scheduled (scheduled_at)",
            f"KEY {t.tables.prefix}run_owner (owner)",
            # Descending puts the NULLs last: an app's transaction that met a held key has locked the gap before its
            # entry, and each plain enqueue would have to put its NULL into that gap.
            f"UNIQUE KEY {t.tables.prefix}run_unique (unique_slot DESC)",
        ]
    return table(d, t.run, parts, "id")


def _run_indexes(t: Terms) -> list[str]:
    if t.dialect == "mysql":
        return []
    p = t.tables.prefix
    return [
        (
            f"CREATE INDEX IF NOT EXISTS {p}run_ready ON {t.run} (ready_queue, claim_rank, run_at, id, job) "
            "WHERE ready_queue IS NOT NULL"
        ),
        f"CREATE INDEX IF NOT EXISTS {p}run_scheduled ON {t.run} (scheduled_at) WHERE scheduled_at IS NOT NULL",
        f"CREATE INDEX IF NOT EXISTS {p}run_owner ON {t.run} (owner) WHERE owner IS NOT NULL",
        f"CREATE UNIQUE INDEX IF NOT EXISTS {p}run_unique ON {t.run} (unique_slot) WHERE unique_slot IS NOT NULL",
    ]


def _tuning(t: Terms) -> list[str]:
    """Let PostgreSQL's autovacuum come early: every run leaves two dead row versions."""
    if t.dialect != "postgresql":
        return []
    return [
        (
            f"ALTER TABLE {t.run} SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, "
            "autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02)"
        )
    ]


def _attempts(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "run_id", "id", "NOT NULL"),
        column(d, "fence", "int", "NOT NULL"),
        column(d, "attempt", "int", "NOT NULL"),
        column(d, "outcome", "word", "NOT NULL"),
        column(d, "worker_id", "id"),
        column(d, "engine", "int", "NOT NULL"),
        column(d, "started_at", "time"),
        column(d, "ended_at", "time", "NOT NULL"),
        column(d, "error_type", "label"),
        column(d, "error_message", "text"),
        column(d, "traceback", "text"),
    ]
    return table(d, t.attempt, parts, "run_id, fence")


def _workers(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "id", "id", "NOT NULL"),
        column(d, "environment", "label", "NOT NULL"),
        column(d, "app_release", "label", "NOT NULL"),
        column(d, "placement", "word", "NOT NULL"),
        column(d, "host", "label", "NOT NULL"),
        column(d, "pid", "long", "NOT NULL"),
        column(d, "queues", "text", "NOT NULL"),
        column(d, "jobs", "text", "NOT NULL"),
        column(d, "engines", "text", "NOT NULL"),
        column(d, "dead_after_us", "long", "NOT NULL"),
        column(d, "started_at", "time", "NOT NULL"),
        column(d, "beat_at", "time", "NOT NULL"),
        column(d, "last_claim_at", "time"),
        column(d, "stopping_at", "time"),
        column(d, "dead_at", "time"),
    ]
    return table(d, t.worker, parts, "id")


def _queues(t: Terms) -> str:
    d = t.dialect
    return table(d, t.queue, [column(d, "name", "name", "NOT NULL"), column(d, "paused_at", "time")], "name")


def _log(t: Terms) -> str:
    d = t.dialect
    parts = [
        column(d, "run_id", "id", "NOT NULL"),
        column(d, "fence", "int", "NOT NULL"),
        column(d, "line", "int", "NOT NULL"),
        column(d, "written_at", "time", "NOT NULL"),
        column(d, "level", "word", "NOT NULL"),
        column(d, "message", "text", "NOT NULL"),
    ]
    return table(d, t.log, parts, "run_id, fence, line")

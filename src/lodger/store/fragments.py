"""Pieces of SQL that several statements share."""

from __future__ import annotations

from lodger.store.sql import Terms


def release_unique(t: Terms, table: str = "") -> str:
    """Return the assignment that lets go of the unique key, unless its window is still open."""
    dot = f"{table}." if table else ""
    return f"unique_slot = CASE WHEN {dot}unique_until > {t.now} THEN {dot}unique_slot END"


def window_is_over(t: Terms) -> str:
    """Return the condition: a run holds its unique key for no other reason than a window, and that has closed."""
    return (
        f"unique_until <= {t.now} AND (completed_at IS NOT NULL "
        "OR (unique_scope = 'waiting' AND started_at IS NOT NULL))"
    )


def leave_state() -> str:
    """Return the assignments that take a run out of every index of a state."""
    return "ready_queue = NULL, scheduled_at = NULL, owner = NULL"


def is_silent(t: Terms) -> str:
    """Return the condition: a worker's last beat is older than the worker itself said it may be."""
    match t.dialect:
        case "postgresql":
            return f"beat_at < {t.now} - dead_after_us * interval '1 microsecond'"
        case "mysql":
            return f"beat_at < {t.now} - INTERVAL dead_after_us MICROSECOND"
        case "sqlite":
            return f"beat_at < {t.now} - dead_after_us"


def between_us(t: Terms, start: str, end: str) -> str:
    """Return how many microseconds lie between two moments (columns or expressions)."""
    match t.dialect:
        case "postgresql":
            return f"CAST(EXTRACT(EPOCH FROM {end} - {start}) * 1000000 AS bigint)"
        case "mysql":
            return f"TIMESTAMPDIFF(MICROSECOND, {start}, {end})"
        case "sqlite":
            return f"({end} - {start})"


def age_us(t: Terms, moment: str) -> str:
    """Return how many microseconds ago ``moment`` was."""
    return between_us(t, moment, t.now)

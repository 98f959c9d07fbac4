"""Queues: paused or not, and how deep."""

from __future__ import annotations

from lodger.store.database import Conn
from lodger.store.sql import Terms, statement


def pause(conn: Conn, name: str) -> None:
    """Stop claims from this queue, also if it has never been seen."""
    conn.write(pause_queue, name=name)


def resume(conn: Conn, name: str) -> None:
    """Let this queue be claimed again."""
    conn.write(resume_queue, name=name)


def paused(conn: Conn) -> list[str]:
    """Return the names of the paused queues."""
    return [row[0] for row in conn.rows(paused_queues)]


@statement
def pause_queue(t: Terms) -> str:
    """Mark a queue as paused; pausing twice keeps the first moment."""
    if t.dialect == "mysql":
        on_conflict = f"ON DUPLICATE KEY UPDATE paused_at = COALESCE({t.queue}.paused_at, VALUES(paused_at))"
    else:
        on_conflict = f"ON CONFLICT (name) DO UPDATE SET paused_at = COALESCE({t.queue}.paused_at, excluded.paused_at)"
    if t.tables.schema:  # inside ON CONFLICT the target goes by its bare name
        on_conflict = on_conflict.replace(f"{t.tables.schema}.", "")
    return f"INSERT INTO {t.queue} (name, paused_at) VALUES (:name, {t.now}) {on_conflict}"


@statement
def resume_queue(t: Terms) -> str:
    """Unmark a paused queue."""
    return f"UPDATE {t.queue} SET paused_at = NULL WHERE name = :name"


@statement
def paused_queues(t: Terms) -> str:
    """The paused queues."""
    return f"SELECT name FROM {t.queue} WHERE paused_at IS NOT NULL ORDER BY name"


def depths(conn: Conn) -> dict[str, int]:
    """Return how many runs are QUEUED, by queue."""
    return dict(conn.rows(queue_depths))


@statement
def queue_depths(t: Terms) -> str:
    """Queue depth by queue."""
    return f"SELECT ready_queue, COUNT(*) FROM {t.run} WHERE ready_queue IS NOT NULL GROUP BY ready_queue"

"""The newest runs: how many ended, how long they took. Cheap beside ten million ended ones.

There is no index on completed_at (it would cost every finish 10 %). Ids begin with their time, so the newest runs are
the end of the primary key: a fixed number of them is read, and it is told how far back that went.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lodger.model.ids import time_of
from lodger.store.database import Conn
from lodger.store.fragments import between_us
from lodger.store.sql import Terms, statement
from lodger.store.values import id_out

HOUR_US: Final = 3600 * 1_000_000
DAY_US: Final = 24 * HOUR_US
SAMPLE: Final = 50_000
"""Runs that the totals are read from: some 50 ms."""
DURATIONS: Final = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """What became of the newest runs, by the database's clock."""

    read: int
    """How many runs these numbers are of."""
    since: datetime | None
    """They were enqueued since then; None: they are all there are, so the numbers are exact."""
    completed: int
    """SUCCEEDED in the last hour."""
    mean_seconds: float | None
    """From claim to end, of those; None: there are none."""
    failed: int
    """FAILED in the last 24 hours."""


def totals(conn: Conn, sample: int = SAMPLE) -> Totals:
    """Return what became of the newest ``sample`` runs."""
    found = conn.rows(newest_totals, sample=sample, hour_us=-HOUR_US, day_us=-DAY_US)[0]
    read, completed, mean_us, failed = found
    return Totals(
        read=int(read),
        since=_since(conn, sample) if int(read) >= sample else None,
        completed=int(completed or 0),
        mean_seconds=None if mean_us is None else float(mean_us) / 1e6,
        failed=int(failed or 0),
    )


def _since(conn: Conn, sample: int) -> datetime | None:
    """Return when the oldest of the newest ``sample`` runs was enqueued; None when there are no more than these."""
    edge = conn.rows(edge_of_newest, skip=sample - 1)
    return time_of(id_out(edge[0][0])) if len(edge) > 1 else None


@statement
def newest_totals(t: Terms) -> str:
    """The newest runs, counted by what became of them."""
    done = f"status = 'SUCCEEDED' AND completed_at > {t.after(':hour_us')}"
    return f"""
SELECT COUNT(*), SUM(CASE WHEN {done} THEN 1 ELSE 0 END),
  AVG(CASE WHEN {done} THEN {between_us(t, "started_at", "completed_at")} END),
  SUM(CASE WHEN status = 'FAILED' AND completed_at > {t.after(":day_us")} THEN 1 ELSE 0 END)
FROM (SELECT status, started_at, completed_at FROM {t.run} ORDER BY id DESC LIMIT :sample) AS newest"""


@statement
def edge_of_newest(t: Terms) -> str:
    """The last of the newest runs, and the one before it in time, if there is one."""
    return f"SELECT id FROM {t.run} ORDER BY id DESC LIMIT 2 OFFSET :skip"


def durations(conn: Conn, sample: int = DURATIONS) -> list[float]:
    """Return how long, in seconds from claim to end, those of the newest ``sample`` runs took that have ended."""
    return [max(0, int(row[0])) / 1e6 for row in conn.rows(newest_durations, sample=sample)]


@statement
def newest_durations(t: Terms) -> str:
    """How long the newest ended runs took."""
    return f"""
SELECT {between_us(t, "started_at", "completed_at")}
FROM (SELECT status, started_at, completed_at FROM {t.run} ORDER BY id DESC LIMIT :sample) AS newest
WHERE status IN ('SUCCEEDED', 'FAILED') AND started_at IS NOT NULL AND completed_at IS NOT NULL"""


def running(conn: Conn) -> dict[str, int]:
    """Return how many runs are RUNNING, by queue."""
    found: dict[str, Any] = dict(conn.rows(running_by_queue))
    return {queue: int(count) for queue, count in found.items()}


@statement
def running_by_queue(t: Terms) -> str:
    """Runs in hand by queue: as many rows as workers have slots."""
    return f"SELECT queue, COUNT(*) FROM {t.run} WHERE owner IS NOT NULL GROUP BY queue"

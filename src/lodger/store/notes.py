"""What a running job writes about itself: progress, checkpoint, log. Valid only under its fence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lodger.model.payload import clean_text
from lodger.model.run import LogLine
from lodger.store.database import Conn
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in, time_out

MAX_LINE: Final = 8_000


def save_progress(conn: Conn, run_id: str, fence: int, progress: str) -> bool:
    """Write progress (JSON text); False when the lease is lost."""
    return conn.write(set_progress, id=id_in(conn.dialect, run_id), fence=fence, progress=progress) == 1


def save_checkpoint(conn: Conn, run_id: str, fence: int, checkpoint: str) -> bool:
    """Write a checkpoint (JSON text); False when the lease is lost."""
    return conn.write(set_checkpoint, id=id_in(conn.dialect, run_id), fence=fence, checkpoint=checkpoint) == 1


@statement
def set_progress(t: Terms) -> str:
    """Write progress under the fence."""
    return f"UPDATE {t.run} SET progress = :progress WHERE id = :id AND status = 'RUNNING' AND fence = :fence"


@statement
def set_checkpoint(t: Terms) -> str:
    """Write a checkpoint under the fence."""
    return f"UPDATE {t.run} SET checkpoint = :checkpoint WHERE id = :id AND status = 'RUNNING' AND fence = :fence"


def append_log(conn: Conn, lines: Sequence[tuple[str, int, int, str, str]]) -> None:
    """Append lines of (run id, fence, line number, level, message); the same line twice is one."""
    batch: list[dict[str, Any]] = [
        {
            "id": id_in(conn.dialect, run_id),
            "fence": fence,
            "line": line,
            "level": level[:16],
            "message": clean_text(message, MAX_LINE),
        }
        for run_id, fence, line, level, message in lines
    ]
    conn.write_many(insert_line, batch)


@statement
def insert_line(t: Terms) -> str:
    """Append one line."""
    nothing = f"ON DUPLICATE KEY UPDATE line = {t.log}.line" if t.dialect == "mysql" else "ON CONFLICT DO NOTHING"
    return f"""
INSERT INTO {t.log} (run_id, fence, line, written_at, level, message)
VALUES (:id, :fence, :line, {t.now}, :level, :message) {nothing}"""


def read_log(conn: Conn, run_id: str, limit: int = 1000) -> list[LogLine]:
    """Return the first ``limit`` lines of a run, oldest first."""
    rows = conn.rows(select_log, id=id_in(conn.dialect, run_id), limit=limit)
    return [LogLine(fence=r[0], at=time_out(r[1]), level=r[2], message=r[3]) for r in rows]  # type: ignore[arg-type]


@statement
def select_log(t: Terms) -> str:
    """The log of a run in order."""
    return f"""
SELECT fence, written_at, level, message FROM {t.log} WHERE run_id = :id ORDER BY fence, line LIMIT :limit"""

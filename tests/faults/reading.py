"""Reads a history out of the database, in plain SQL of its own: none of Lodger's code is asked about Lodger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from tests.faults.history import History, Row, Told, violations
from tests.faults.sidelog import SideLog

SECONDS = {
    "sqlite": "{0} / 1e6",
    "postgresql": "EXTRACT(EPOCH FROM {0})",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {0}) / 1e6",
}


def read(engine: Engine, side: SideLog, expected: Mapping[str, str] | None = None) -> History:
    """The history of everything in the database."""
    seconds = SECONDS[engine.dialect.name].format("ended_at")
    with engine.connect() as connection:
        runs = connection.execute(
            text(
                "SELECT r.id, r.status, r.fence, r.attempt, r.job, r.owner, w.id, w.dead_at FROM lodger_run r "
                "LEFT JOIN lodger_worker w ON w.id = r.owner"
            )
        ).all()
        told = connection.execute(
            text(f"SELECT run_id, fence, attempt, outcome, {seconds}, error_message FROM lodger_attempt")
        ).all()
        ledger = connection.execute(text("SELECT run_id, fence FROM ledger")).all()
    return History(
        rows={plain(row[0]): _row(row) for row in runs},
        told=[Told(plain(row[0]), row[1], row[2], row[3], float(row[4]), row[5] or "") for row in told],
        marks=side.read(),
        ledger=[(row[0], row[1]) for row in ledger],
        expected=expected or {},
    )


def _row(row: Any) -> Row:
    lives = None if row[5] is None else row[6] is not None and row[7] is None
    return Row(status=row[1], fence=row[2], attempt=row[3], job=row[4], owner_lives=lives)


def plain(key: Any) -> str:
    """An id as people write it."""
    return str(UUID(bytes=bytes(key))) if isinstance(key, bytes | bytearray | memoryview) else str(key)


def counts(engine: Engine) -> dict[str, int]:
    """How many runs there are, by status."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT status, COUNT(*) FROM lodger_run GROUP BY status"))
        return {row[0]: row[1] for row in rows}


def check(history: History) -> None:
    """Fail, naming each contradiction, unless all invariants hold."""
    found = violations(history)
    assert not found, f"{len(found)} contradictions:\n" + "\n".join(found[:25])

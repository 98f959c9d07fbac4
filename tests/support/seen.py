"""Workers and work as a look at the database would show them, for tests of decisions that need no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lodger.model.coverage import EngineState, SeenWorker, Waiting

EPOCH = datetime(2027, 1, 1, tzinfo=UTC)


def seen_worker(
    name: str = "w", *, beat: float = 0.0, engine: dict[str, Any] | None = None, **fields: Any
) -> SeenWorker:
    """A separate worker that serves all queues and the job ``j``; ``beat`` is when, in seconds, it beat last."""
    values: dict[str, Any] = {
        "id": name,
        "environment": "e",
        "release": "r",
        "placement": "separate",
        "host": "h",
        "pid": 1,
        "queues": (),
        "jobs": frozenset({"j"}),
        "engines": (EngineState(**(engine or {})),),
        "is_live": True,
        "beat_at": EPOCH + timedelta(seconds=beat),
        "age_seconds": 600.0,
        "beat_seconds": 1.0,
    }
    return SeenWorker(**{**values, **fields})


def work(job: str = "j", queue: str = "q", *, oldest: float = 0.0, count: int = 1, paused: bool = False) -> Waiting:
    """Waiting work."""
    return Waiting(queue=queue, job=job, count=count, oldest_seconds=oldest, paused=paused)

"""Facts as `lodger doctor` would have seen them, for tests of rules that need no database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lodger.doctor.facts import Facts
from lodger.model.remedies import Here
from lodger.model.schedule import ScheduleRecord
from lodger.model.timetable import Every
from lodger.store.schedulers import SchedulerRecord
from tests.support.seen import EPOCH

HERE = Here(environment="e", app="app:lodger")


def facts(**fields: Any) -> Facts:
    """A deployment in which nothing is wrong and nothing is there."""
    values: dict[str, Any] = {"dialect": "postgresql", "now": EPOCH, "schema": 2, "latest": 2, "here": HERE}
    return Facts(**{**values, **fields})


def schedule(name: str = "s", *, due_in: float = 60.0, **fields: Any) -> ScheduleRecord:
    """An active schedule of job ``j`` in queue ``q``."""
    values: dict[str, Any] = {
        "id": name,
        "origin": "code",
        "timetable": Every(minutes=1),
        "job": "j",
        "queue": "q",
        "overlap": "allow",
        "misfire": "latest",
        "jitter_seconds": 0.0,
        "next_at": EPOCH + timedelta(seconds=due_in),
        "last_at": None,
        "last_run_id": None,
        "fired": 0,
        "skipped": 0,
        "missed_at": None,
        "paused_at": None,
        "undeclared_at": None,
        "error": None,
        "created_at": EPOCH,
    }
    return ScheduleRecord(**{**values, **fields})


def daemon(**fields: Any) -> SchedulerRecord:
    """A schedule daemon that lives."""
    values: dict[str, Any] = {
        "id": "d",
        "environment": "e",
        "release": "",
        "placement": "separate",
        "host": "h",
        "pid": 2,
        "started_at": EPOCH,
        "beat_at": EPOCH,
        "last_fire_at": None,
        "dead_at": None,
        "is_live": True,
    }
    return SchedulerRecord(**{**values, **fields})

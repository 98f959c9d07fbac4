"""Fill in what is not set with what fits where the worker lives: a guest takes less than an owner.

All of it can be set; 0 means "what fits". Decided once, by the supervisor, so that its engines agree with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lodger.cgroup import cpu_quota
from lodger.model.coverage import ANY_JOB, Pair
from lodger.settings import Settings
from lodger.worker.size import sized, usable_cpus, within_quota

GUEST_CONCURRENCY: Final = {
    # Each run may want a connection of the app's pool (SQLAlchemy's holds 5 per process) on a database of the small
    # plan that an embedded worker is for, and wakes a core that the web server shares. Five jobs that wait for the
    # network are soon through: at 0.2 s each, 25 a second.
    "child": 5,
    # The same, and they share the interpreter's lock with the requests: each running job is one more to wait for.
    "thread": 3,
}


def is_embedded(placement: str) -> bool:
    """Whether the worker is a guest of the web service."""
    return placement != "separate"


def fitted(settings: Settings, placement: str) -> Settings:
    """Return ``settings`` with numbers in place of all that is left to us."""
    if not is_embedded(placement):
        return sized(settings)
    return replace(
        settings,
        concurrency=settings.concurrency or GUEST_CONCURRENCY[placement],
        process_slots=settings.process_slots or guest_slots(usable_cpus(), cpu_quota()),
    )


def guest_slots(cpus: int, quota: float | None) -> int:
    """Return how many processes a guest keeps busy: one CPU is the web server's if there are several."""
    return within_quota(cpus - 1, quota)


def left_to_separate(settings: Settings) -> frozenset[Pair]:
    """Return what no embedded worker claims, whoever else lives."""
    return frozenset((queue, ANY_JOB) for queue in settings.separate_queues)

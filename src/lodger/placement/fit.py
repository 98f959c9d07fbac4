"""Fill in what is not set with what fits where the worker lives: a guest takes less than an owner.

All of it can be set; 0 means "what fits". Decided once, by the supervisor, so that its engines agree with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lodger.model.coverage import ANY_JOB, Pair
from lodger.processes.cgroup import cpu_quota, memory_limit
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

HARD_SHARE: Final = 0.7
"""Of the container's memory, for an embedded child with all it starts: beyond, the kernel would soon choose for us."""
MB: Final = 2**20


def is_embedded(placement: str) -> bool:
    """Whether the worker is a guest of the web service."""
    return placement != "separate"


def fitted(settings: Settings, placement: str) -> Settings:
    """Return ``settings`` with numbers in place of all that is left to us."""
    if is_embedded(placement):
        settings = replace(
            settings,
            concurrency=settings.concurrency or GUEST_CONCURRENCY[placement],
            process_slots=settings.process_slots or guest_slots(usable_cpus(), cpu_quota()),
        )
    hard = settings.worker_hard_mb or (guest_ceiling(memory_limit()) if placement == "child" else -1)
    # A job process has all of it: its engine looks four times a second, and is not blamed itself.
    return replace(sized(settings), worker_hard_mb=hard, memory_mb=settings.memory_mb or max(0, hard))


def guest_slots(cpus: int, quota: float | None) -> int:
    """Return how many processes a guest keeps busy: one CPU is the web server's if there are several."""
    return within_quota(cpus - 1, quota)


def guest_ceiling(limit_bytes: int | None) -> int:
    """Return the hard memory ceiling in MB of a guest in a container with this limit; -1: none."""
    return -1 if limit_bytes is None else max(1, int(limit_bytes * HARD_SHARE) // MB)


def left_to_separate(settings: Settings) -> frozenset[Pair]:
    """Return what no embedded worker claims, whoever else lives."""
    return frozenset((queue, ANY_JOB) for queue in settings.separate_queues)

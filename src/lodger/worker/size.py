"""How much one engine takes on."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from lodger.processes.cgroup import cpu_quota
from lodger.settings import Settings
from lodger.worker.pace import MAX_AHEAD

CONCURRENCY: Final = 20


def sized(settings: Settings) -> Settings:
    """Return ``settings`` with what an engine takes on that has its host to itself, where they say nothing."""
    return replace(
        settings,
        concurrency=settings.concurrency or CONCURRENCY,
        process_slots=settings.process_slots or within_quota(usable_cpus(), cpu_quota()),
    )


def within_quota(cpus: int, quota: float | None) -> int:
    """Return how many processes can compute at once: a container of half a CPU sees all CPUs of its host."""
    return max(1, min(cpus, cpus if quota is None else int(quota)))


def seats_for(settings: Settings) -> int:
    """Return how many runs an engine can hold: under way, ahead, and as many ended ones that wait for their commit."""
    return 2 * (settings.concurrency + MAX_AHEAD)


def usable_cpus() -> int:
    """Return how many CPUs we may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1

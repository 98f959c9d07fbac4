"""What a worker takes on where nothing is set, by where it lives."""

from __future__ import annotations

import pytest

from lodger.placement.fit import fitted, guest_ceiling, guest_slots
from lodger.settings import Settings
from lodger.worker.size import sized, usable_cpus, within_quota


@pytest.mark.parametrize(
    ("cpus", "quota", "slots"),
    [
        (1, None, 1),
        (2, None, 1),
        (8, None, 7),
        (8, 4.0, 4),
        (8, 3.99, 3),
        (8, 7.5, 7),
        (8, 64.0, 7),
        (8, 1.0, 1),
        (8, 0.25, 1),
        (1, 2.0, 1),
    ],
)
def test_a_guest_leaves_a_core_and_keeps_the_quota(cpus: int, quota: float | None, slots: int) -> None:
    """Fails without the core that is left, without the quota, without the one that is always there."""
    assert guest_slots(cpus, quota) == slots


@pytest.mark.parametrize(("quota", "slots"), [(None, 8), (0.5, 1), (3.9, 3), (8.0, 8), (64.0, 8)])
def test_an_owner_has_all_cores_and_keeps_the_quota(quota: float | None, slots: int) -> None:
    """Fails without the quota, and when more processes than CPUs fit into it."""
    assert within_quota(8, quota) == slots


@pytest.mark.parametrize(("placement", "concurrency"), [("separate", 20), ("child", 5), ("thread", 3)])
def test_what_is_not_set_fits_the_placement(placement: str, concurrency: int) -> None:
    told = fitted(Settings(), placement)
    assert told.concurrency == concurrency
    assert 1 <= told.process_slots <= usable_cpus()
    assert fitted(told, placement) == told


@pytest.mark.parametrize("placement", ["separate", "child", "thread"])
def test_what_is_set_stands(placement: str) -> None:
    """Fails when a guest's numbers are bounds, not defaults."""
    told = fitted(Settings(concurrency=50, process_slots=30), placement)
    assert (told.concurrency, told.process_slots) == (50, 30)


def test_an_engine_that_is_told_nothing_has_its_host_to_itself() -> None:
    told = sized(Settings())
    assert (told.concurrency, told.process_slots) == (20, usable_cpus())
    assert sized(told) == told


@pytest.mark.parametrize(("limit", "ceiling"), [(None, -1), (512 * 2**20, 358), (2**20, 1), (8 * 2**30, 5734)])
def test_a_guest_keeps_below_the_containers_memory(limit: int | None, ceiling: int) -> None:
    assert guest_ceiling(limit) == ceiling


@pytest.mark.parametrize("placement", ["separate", "child", "thread"])
def test_job_processes_have_the_ceiling_of_all(placement: str) -> None:
    """Fails when it is only looked at by the supervisor, once a second."""
    told = fitted(Settings(worker_hard_mb=400), placement)
    assert (told.worker_hard_mb, told.memory_mb) == (400, 400)
    told = fitted(Settings(worker_hard_mb=400, memory_mb=300), placement)
    assert (told.worker_hard_mb, told.memory_mb) == (400, 300)
    told = fitted(Settings(worker_hard_mb=-1), placement)
    assert (told.worker_hard_mb, told.memory_mb) == (-1, 0)

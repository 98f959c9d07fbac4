"""Limits of real control groups, as a worker in them sees them and fits into them."""

from __future__ import annotations

import pytest

from tests.support.cgroups import group, told_inside

SLOTS = """
from lodger.processes.cgroup import cpu_quota
from lodger.placement import fit
from lodger.settings import Settings
from lodger.worker import size
fit.usable_cpus = size.usable_cpus = lambda: 8
print(cpu_quota(), *[fit.fitted(Settings(), one).process_slots for one in ("child", "thread", "separate")])
"""


@pytest.mark.parametrize(
    ("quota_us", "told"),
    [
        (50_000, "0.5 1 1 1"),
        (190_000, "1.9 1 1 1"),
        (350_000, "3.5 3 3 3"),
        (2_000_000, "20.0 7 7 8"),
        (-1, "None 7 7 8"),
    ],
)
def test_process_slots_keep_the_cpu_quota(quota_us: int, told: str) -> None:
    """As child, thread and separate worker. Of eight CPUs one is the web server's, and a smaller quota is the bound.

    Fails with a quota that is rounded, or not looked for.
    """
    with group("cpu", cpu__cfs_quota_us=quota_us) as made:
        assert told_inside(SLOTS, made) == told


def test_the_quota_of_a_group_above_counts() -> None:
    with group("cpu", cpu__cfs_quota_us=200_000) as outer:
        inner = outer / "inner"
        inner.mkdir()
        try:
            assert told_inside("from lodger.processes.cgroup import cpu_quota; print(cpu_quota())", inner) == "2.0"
        finally:
            inner.rmdir()


CEILINGS = """
from lodger.processes.cgroup import memory_limit
from lodger.placement.fit import fitted
from lodger.settings import Settings
print(memory_limit() // 2**20)
for placement in ("child", "thread", "separate"):
    told = fitted(Settings(), placement)
    print(told.worker_hard_mb, told.memory_mb)
"""


def test_a_child_keeps_below_the_memory_limit() -> None:
    """Not a thread, whose memory is the web server's, and not a separate worker, which the limit is for.

    Fails without the default of the ceiling, and when others have it.
    """
    with group("memory", memory__limit_in_bytes=400 * 2**20) as made:
        assert told_inside(CEILINGS, made).split("\n") == ["400", "280 280", "-1 0", "-1 0"]


THROTTLE = """
import subprocess, sys
from lodger.processes.cgroup import throttled_periods
from lodger.worker.executors.throttle import Throttle
from tests.support.wait import wait_until
burner = subprocess.Popen([sys.executable, "-c", "while True: pass"], process_group=0)
wait_until(lambda: throttled_periods() > 5, 30, "the quota to be used up")
throttle = Throttle(lambda: [burner.pid])
throttle.start()
def calm():
    before = throttled_periods()
    throttle._over.wait(1)
    return throttled_periods() - before <= 3
wait_until(calm, 30, "the kernel to throttle a third of the periods at most")
throttle.stop()
print(open(f"/proc/{burner.pid}/stat").read().rpartition(") ")[2][0])
burner.kill()
"""


def test_jobs_are_stopped_before_the_quota_is_used_up() -> None:
    """And go on when nobody throttles them any more. Fails without SIGSTOP (ten periods of a second), or SIGCONT."""
    with group("cpu", cpu__cfs_quota_us=15_000) as made:
        assert told_inside(THROTTLE, made) == "R"

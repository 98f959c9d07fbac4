"""An embedded worker gives way to the web server: its engine a little, its job processes altogether."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lodger.placement.launch import Placement
from tests.supervisor.app import rank_in_process, rank_in_thread, rank_of_a_program, rank_on_loop
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""The kernel does not ask for the database."""

OURS = os.nice(0)
ENGINE_NICE = max(10, OURS)


def ranks(bench: Bench, *jobs: Any) -> list[tuple[int, int]]:
    """Scheduling policy and niceness of each job, as the worker under test runs it."""
    handles = [bench.lodger.by_name(job.name).enqueue() for job in jobs]
    wait_until(lambda: all(one.status() == "SUCCEEDED" for one in handles), 150, "jobs that give way to everybody")
    return [tuple(one.refresh().result) for one in handles]


@ON_SQLITE
@pytest.mark.parametrize(
    ("priority", "rank"),
    [
        (None, (os.SCHED_IDLE, ENGINE_NICE)),
        ("idle", (os.SCHED_IDLE, ENGINE_NICE)),
        ("nice", (os.SCHED_OTHER, 19)),
        ("normal", (os.SCHED_OTHER, ENGINE_NICE)),
    ],
)
def test_job_processes_have_the_priority_that_is_set(bench: Bench, priority: str | None, rank: tuple[int, int]) -> None:
    """And so has what they start; jobs in the engine have its own.

    Fails without `be_patient`, with another default, and when the engine becomes idle, too: it holds database locks.
    """
    bench.start("child", job_priority=priority, nice=None)
    engine = (os.SCHED_OTHER, ENGINE_NICE)
    told = ranks(bench, rank_in_process, rank_of_a_program, rank_on_loop, rank_in_thread)
    assert told == [rank, rank, engine, engine]


@ON_SQLITE
def test_an_engine_has_the_niceness_that_is_set(bench: Bench) -> None:
    """In its session, too, where the kernel shares CPUs out among sessions; and it is the first to go without memory.

    Fails without `be_a_guest`.
    """
    bench.start("child", nice=15, job_priority=None)
    bench.wait_ready()
    assert ranks(bench, rank_on_loop) == [(os.SCHED_OTHER, max(15, OURS))]
    proc = Path("/proc", str(bench.supervisor.engines[0].describe()["pid"]))
    assert int((proc / "oom_score_adj").read_text()) == 300
    if (proc / "autogroup").exists():
        assert (proc / "autogroup").read_text().split()[1:] == ["nice", "15"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("placement", "rank"), [("separate", (os.SCHED_OTHER, OURS)), ("thread", (os.SCHED_IDLE, OURS))]
)
def test_who_is_no_child_is_as_important_as_its_parent(
    bench: Bench, placement: Placement, rank: tuple[int, int]
) -> None:
    """A separate worker altogether; a thread must not make the web server nice, only its job processes are idle.

    Fails when manners are not asked of guests only.
    """
    bench.start(placement, job_priority="idle", nice=10)
    told = ranks(bench, rank_in_process, rank_on_loop)
    assert told == [rank, (os.SCHED_OTHER, OURS)]
    assert os.nice(0) == OURS


@pytest.mark.parametrize("obstacle", ["del os.sched_setscheduler", "os.sched_setscheduler = lambda *_: os.close(-1)"])
def test_where_nobody_can_be_idle_it_is_as_nice_as_can_be(obstacle: str) -> None:
    """On macOS there is no such call, and a container may forbid it. Fails without the fallback."""
    code = (
        f"import os; {obstacle}; from lodger.processes.manners import be_patient; be_patient('idle'); print(os.nice(0))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"19\n"

"""Jobs to tell apart, importable as `tests.supervisor.app:lodger`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from lodger import Lodger

lodger = Lodger(app="tests.supervisor.app:lodger")


@lodger.job()
async def alpha() -> str:
    return "alpha"


@lodger.job(executor="process")
def beta() -> str:
    return "beta"


@lodger.job(embeddable=False)
async def gamma() -> str:
    return "gamma"


@lodger.job()
async def patient(path: str) -> None:
    """Go on until the file is there."""
    while not Path(path).exists():  # noqa: ASYNC110, ASYNC240 - the job waits for a flag of its test
        await asyncio.sleep(0.02)


# How the scheduler of the kernel sees a job: policy and niceness


@lodger.job()
async def rank_on_loop() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.nice(0)


@lodger.job()
def rank_in_thread() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.nice(0)


@lodger.job(executor="process")
def rank_in_process() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.nice(0)


@lodger.job(executor="process")
def rank_of_a_program() -> tuple[int, int]:
    """What a job starts is as patient as it is itself."""
    told = subprocess.run(
        [sys.executable, "-c", "import os; print(os.sched_getscheduler(0), os.nice(0))"],
        capture_output=True,
        text=True,
        check=True,
    )
    policy, nice = told.stdout.split()
    return int(policy), int(nice)

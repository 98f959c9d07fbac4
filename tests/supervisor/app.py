"""Jobs to tell apart, importable as `tests.supervisor.app:lodger`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
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


# Eaters of memory

_kept: list[bytes] = []


def _eat(mb: int) -> None:
    _kept.append(b"\1" * (mb * 2**20))


@lodger.job()
def keep(mb: int) -> None:
    """A leak: it stays after the run."""
    _eat(mb)


@lodger.job()
def eat_in_engine(mb: int, path: str) -> None:
    _eat(mb)
    _wait_for(path)


@lodger.job(executor="process")
def eat_in_process(mb: int, path: str) -> int:
    _eat(mb)
    Path(path + "-eaten").touch()
    _wait_for(path)
    return os.getpid()


@lodger.job(executor="process")
def eat_in_programs(mb: int, path: str, count: int = 1) -> None:
    """By programs in sessions of their own: no signal to the job's group reaches them."""
    code = f"import time; kept = b'1' * ({mb} * 2**20); time.sleep(60)"
    for _ in range(count):
        subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    _wait_for(path)


@lodger.job(executor="process")
def share_memory(mb: int, children: int, path: str) -> None:
    """Forks that change nothing share all of it."""
    _eat(mb)
    for _ in range(children):
        if os.fork() == 0:
            _wait_for(path)
            os._exit(0)
    Path(path + "-eaten").touch()
    _wait_for(path)


def _wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.02)


@lodger.job(executor="process")
def family(path: str, told: str) -> None:
    """Tell who lives here: the engine, this process, and a program that it has started."""
    with subprocess.Popen(["sleep", "60"]) as program:
        part = Path(told + ".part")
        part.write_text(f"{os.getppid()} {os.getpid()} {program.pid}")
        part.rename(told)
        _wait_for(path)
        program.kill()

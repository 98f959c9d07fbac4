"""A web process that forks: `python forking_web.py DIRECTORY STORY`. It prints what its worker was told.

Who stands for election leaves its pid in the directory until it ends. Times are a tenth of the real ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from time import monotonic

from lodger.placement import serving
from lodger.processes.forking import is_child

serving.SETTLE_SECONDS, serving.YOUNG_SECONDS, serving.LOOK_SECONDS = 0.1, 3, 0.5  # type: ignore[misc]
ROLL = Path(sys.argv[1])
PAUSE = Event()
read, write = os.pipe()


def say(what: str) -> None:
    who = "me" if os.getpid() == ME else "child"
    os.write(write, f"{who} {what}\n".encode())


class Worker:
    """In place of an Embedded."""

    def start(self) -> None:
        say("start")
        (ROLL / str(os.getpid())).touch()

    def stop(self, *, drain: bool = False) -> None:
        say("stop")
        (ROLL / str(os.getpid())).unlink()

    def has_children(self) -> bool:
        return any(is_child(int(path.name)) for path in ROLL.iterdir())


def news(count: int) -> list[str]:
    """So many lines of what was said, waiting for them."""
    found: list[str] = []
    while len(found) < count:
        found += os.read(read, 4096).decode().splitlines()
    return found


def rest(seconds: float) -> list[str]:
    """What else is said in this time."""
    PAUSE.wait(seconds)
    os.set_blocking(read, False)
    with suppress(BlockingIOError):
        return os.read(read, 4096).decode().splitlines()
    return []


def fork(seconds: float) -> int:
    """A child of a plain fork, which lives so long."""
    pid = os.fork()
    if pid == 0:
        PAUSE.wait(seconds)
        os._exit(0)
    return pid


def end(child: int) -> None:
    """Kill a child that may stand for election, as the kernel frees its lock."""
    os.kill(child, 9)
    os.waitpid(child, 0)
    (ROLL / str(child)).unlink(missing_ok=True)


def helpers() -> list[str]:
    """A started process: a pool, a program and a short fork are its helpers."""
    told = news(1)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(abs, -1).result()
        with subprocess.Popen(["sleep", "2"], preexec_fn=int):  # noqa: PLW1509 - it runs the hooks of a fork
            pass
        end(fork(0))
        return told + rest(0.2)


def early_helpers() -> list[str]:
    """A process that is pending yet: its pool lives on. It is no master, though others stand for election."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(abs, -1).result()
        return news(1) + rest(2)


def preload() -> list[str]:
    """A master that forks its web processes at once, and another one when one has ended."""
    first = fork(60)
    told = news(1) + rest(1.5)
    second = fork(60)
    end(first)
    told += rest(1.5)
    end(second)
    ended = monotonic()
    os.set_blocking(read, True)
    told += news(1)
    return [*told, "at the second look" if monotonic() - ended > serving.LOOK_SECONDS else "at the first look"]


def slow_preload() -> list[str]:
    """A master that took so long to load the app that it has started."""
    told = news(1)
    child = fork(60)
    told += news(2)
    end(child)
    return told + news(1)


ME = os.getpid()
serving.Serving(Worker).begin()  # type: ignore[arg-type]
print(*globals()[sys.argv[2]](), sep="\n", flush=True)
os._exit(0)

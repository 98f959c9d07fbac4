"""Ends a server when the process that started it is gone, even by SIGKILL.

    starter ── stdin: one JSON line per server process ──> guard ── SIGKILL ──> server, its children
       │                                                     │
       └── ends: the pipe closes ───────────────────────────>└── removes the server's directory

A death signal asked of the kernel (PDEATHSIG) would be tied to the *thread* that started the server and exist on Linux
only; a pipe that closes is tied to the process. Run by its path, as a script, so that it needs no import path.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import suppress

import psutil


def kill_tree(pid: int, created: float) -> None:
    """SIGKILL a process and its children, if `pid` is still the process that was created then."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.create_time() != created:  # the number was given to somebody else
            return
        process.suspend()  # or it could fork once more behind our back
        # PostgreSQL makes each backend the leader of a session of its own: a process group would miss them.
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        wait_until_dead(family)


def wait_until_dead(family: list[psutil.Process]) -> None:
    """Wait, at most 10 s; a zombie has let go of everything, and an init that reaps late or never is not our affair."""
    deadline = time.monotonic() + 10
    while any(alive(member) for member in family) and time.monotonic() < deadline:
        time.sleep(0.01)


def alive(process: psutil.Process) -> bool:
    """Whether it still has memory and files."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def main(directory: str) -> None:
    """Read what to guard until the starter is gone, then end it and clean up."""
    guarded: tuple[int, float] | None = None
    for line in sys.stdin:
        guarded = tuple(json.loads(line))
    if guarded:
        kill_tree(*guarded)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])

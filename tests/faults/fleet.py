"""Worker processes to be killed: `lodger worker` as a user starts it, found and signalled by part.

    Worker 1 ── supervisor (its session) ── engine (a session of its own) ── children of the process executor
    Worker 2 ── …

Every process of a fleet, also those that a job left behind, carries the fleet's mark in its environment; that is how
they are found, and how all of them are gone at the end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from sqlalchemy import make_url

from tests.faults import sidelog
from tests.support.wait import wait_until

ROOT: Final = Path(__file__).parents[2]
MARK: Final = "LODGER_TEST_FLEET"
ENGINE: Final = b"-m\0lodger.worker\0"
CHILD: Final = b"-m\0lodger.worker.executors.process_child\0"
QUICK: Final = {
    "LODGER_BEAT_SECONDS": "0.5",
    "LODGER_DEAD_AFTER_SECONDS": "3",
    "LODGER_SWEEP_SECONDS": "1",
    "LODGER_PROMOTE_SECONDS": "0.1",
    "LODGER_CANCEL_SECONDS": "0.2",
    "LODGER_POLL_SECONDS": "0.2",
    "LODGER_GRACE_SECONDS": "3",
    "LODGER_CONCURRENCY": "16",
    "LODGER_PROCESS_SLOTS": "2",
    "LODGER_JOB_PRIORITY": "normal",
    "LODGER_NICE": "0",
}
"""Faults take seconds here that take a minute with the default settings, and jobs wait for no other test."""


class Worker:
    """One program and everything that it has started."""

    def __init__(self, mark: str, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.mark = mark
        self.log_path = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment, MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    # Who there is

    @property
    def pid(self) -> int:
        """The supervisor (of a web server: the web process)."""
        return self.process.pid

    def pids(self) -> list[int]:
        """All its processes."""
        return carrying(self.mark)

    def engines(self) -> list[int]:
        """The processes that run jobs."""
        return [pid for pid in self.pids() if ENGINE in command_of(pid)]

    def children(self) -> list[int]:
        """The processes of the process executor."""
        return [pid for pid in self.pids() if CHILD in command_of(pid)]

    @property
    def log(self) -> str:
        """What it and its engines have said."""
        return self.log_path.read_text(errors="replace")

    # What is done to it

    def kill(self) -> None:
        """SIGKILL to all of it, the supervisor first: nobody is left to say how the others ended."""
        self.kill_supervisor()
        while left := self.pids():
            for pid in left:
                send(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """SIGKILL to the supervisor alone."""
        send(self.pid, signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """SIGSTOP to all of it."""
        for pid in self.pids():
            send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT to all of it."""
        for pid in self.pids():
            send(pid, signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM to the supervisor, as a process manager sends it."""
        send(self.pid, signal.SIGTERM)

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout)


class Fleet:
    """The workers of one test."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.side = sidelog.SideLog(directory / "side.log")
        self.workers: list[Worker] = []
        self._mark = uuid4().hex
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if error is not None:
            for worker in self.workers:
                error.add_note(f"--- {worker.log_path.name} ends:\n{worker.log[-3000:]}")

    def start(self, *arguments: str, **settings: str | float) -> Worker:
        """Start `lodger worker`; `settings` are variables without LODGER_, in lower case."""
        lodger = Path(sys.executable).with_name("lodger")
        return self.run([str(lodger), "worker", "--app", "tests.faults.app:lodger", *arguments], **settings)

    def run(self, command: list[str], **settings: str | float) -> Worker:
        """Start any program as a member of the fleet."""
        self._count += 1
        log = self.directory / f"worker-{self._count}.log"
        worker = Worker(f"{self._mark}:{self._count};", command, self.environment(**settings), log)
        self.workers.append(worker)
        return worker

    def environment(self, **settings: str | float) -> dict[str, str]:
        """The environment of its programs."""
        own = {f"LODGER_{name.upper()}": str(value) for name, value in settings.items()}
        return {**QUICK, **own, "DATABASE_URL": self.url, sidelog.VARIABLE: str(self.side.path)}

    def freeze(self, worker: Worker) -> None:
        """SIGSTOP to all of a worker, but not inside a transaction on SQLite: there it would stop everybody else."""
        with writing_alone(self.url):
            worker.pause()
            wait_until(
                lambda: all(is_stopped(pid) for pid in worker.pids()), 10, f"{worker.log_path.name} to stand still"
            )

    def end(self) -> None:
        """Kill everything, and wait until it is gone."""
        while left := carrying(self._mark):
            for pid in left:
                send(pid, signal.SIGKILL)
        for worker in self.workers:
            worker.process.wait()

    def ready(self, *workers: Worker) -> None:
        """Wait until the engines of these workers (all, if none is named) have started."""
        for worker in workers or self.workers:
            wait_until(worker.engines, 30, "an engine")


def carrying(mark: str) -> list[int]:
    """The living processes with `mark` in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def command_of(pid: int) -> bytes:
    """The command line of a process, its parts ended by NULs; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_stopped(pid: int) -> bool:
    """Whether a process stands still (or has ended)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except OSError:
        return True


@contextmanager
def writing_alone(url: str) -> Iterator[None]:
    """On SQLite, hold the file on which all of Lodger's writers wait for their turn."""
    if not url.startswith("sqlite"):
        yield
        return
    with Path(f"{make_url(url).database}-lodger-lock").open("a") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)
        yield


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that has gone by itself is no fault."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)

"""`make bench-memory`: what each placement of the worker costs in memory, idle, on SQLite.

    web alone · worker in a thread · in a child · standing by for a separate one · a separate one

The web service is uvicorn with one process and FastAPI; figures are of all its processes together. RSS counts what
they share once for each of them, PSS once in all, which is what a container is billed for.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import psutil

from benchmarks.suite.table import machine
from lodger import Lodger

APP: Final = "benchmarks.suite.site:app"
SETTLE_SECONDS: Final = 3.0
START_SECONDS: Final = 60
BEAT: Final = {"LODGER_BEAT_SECONDS": "1", "LODGER_DEAD_AFTER_SECONDS": "10"}


def main() -> None:
    """Measure each placement and print the table."""
    print(machine())
    print("\n| placement | processes | RSS MB | PSS MB |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        alone = row("web alone", folder, "false")
        for name, mode in (("web, worker in a thread", "thread"), ("web, worker in a child", "child")):
            row(name, folder, mode, alone)
        with program([lodger_command(), "worker", "--app", "benchmarks.suite.jobs:lodger"], folder, "auto") as worker:
            row("web, standing by (auto) for a separate worker", folder, "auto", alone)
            print(line("the separate worker", tree(worker)))


def row(name: str, folder: str, mode: str, alone: float | None = None) -> float:
    """Start the site in this mode, measure, print; return its PSS in MB."""
    with free_port() as port:
        command = [sys.executable, "-m", "uvicorn", APP, "--port", str(port), "--log-level", "warning"]
    with program(command, folder, mode) as site:
        wait_until(lambda: answers(port))
        wanted = 2 if mode == "child" else 1
        wait_until(lambda: len(tree(site)) == wanted)
        settle(site)
        found = tree(site)
        total = sum(one.memory_full_info().pss for one in found) / 2**20
        print(line(name, found, None if alone is None else total - alone), flush=True)
        return total


def line(name: str, found: list[psutil.Process], added: float | None = None) -> str:
    """Return a line of the table."""
    rss = sum(one.memory_info().rss for one in found) / 2**20
    pss = sum(one.memory_full_info().pss for one in found) / 2**20
    more = "" if added is None else f" ({added:+.0f})"
    return f"| {name} | {len(found)} | {rss:.0f} | {pss:.0f}{more} |"


def settle(site: subprocess.Popen[bytes]) -> None:
    """Wait until its memory and its number of processes have not changed for a while."""
    last: tuple[int, int] = (0, 0)
    since = time.monotonic()
    while time.monotonic() - since < SETTLE_SECONDS:
        time.sleep(0.2)
        found = tree(site)
        now = (len(found), sum(one.memory_info().rss for one in found) // 2**20)
        if now != last:
            last, since = now, time.monotonic()


def tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return a program's process and those it has started."""
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]


@contextmanager
def program(command: list[str], folder: str, mode: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on the benchmark's database; stopped at the end."""
    url = f"sqlite:///{Path(folder) / 'memory.db'}"
    environment = {**os.environ, **BEAT, "DATABASE_URL": url, "EMBEDDED_JOB_WORKER": mode, "LODGER_RUNTIME_DIR": folder}
    Lodger(url=url).migrate()
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        stack.callback(process.send_signal, signal.SIGTERM)
        yield process


def answers(port: int) -> bool:
    """Whether the site answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def wait_until(look: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + START_SECONDS
    while not look():
        if time.monotonic() > end:
            raise SystemExit("a program did not get ready in time")
        time.sleep(0.1)


@contextmanager
def free_port() -> Iterator[int]:
    """Yield a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield int(probe.getsockname()[1])


def lodger_command() -> str:
    """Return the installed command."""
    return str(Path(sys.executable).with_name("lodger"))


if __name__ == "__main__":
    main()

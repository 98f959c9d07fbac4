"""The web server's sockets are its own: neither an engine nor a job process keeps a port in use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.app import family, patient
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until

GRACE_SECONDS = 60


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def web(bench: Bench, port: int) -> Iterator[subprocess.Popen[str]]:
    """A web process that listens and carries a worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.supervisor.listening", str(port)],
        env={
            **os.environ,
            "DATABASE_URL": bench.url,
            "LODGER_GRACE_SECONDS": str(GRACE_SECONDS),
            "LODGER_NICE": "0",
            "LODGER_JOB_PRIORITY": "normal",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "listening\n"
        yield process
        process.kill()


def listens(port: int) -> bool:
    """Whether somebody holds the port: it can't be bound."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", port))
            other.listen()
        except OSError:
            return True
    return False


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_port_is_free_when_the_web_process_has_died(
    bench: Bench, web: subprocess.Popen[str], port: int, tmp_path: Path
) -> None:
    """While the engine, a job process and a program that its job has started live on, for their grace.

    Fails with inheritable descriptors and `close_fds=False` in `spawn`, instead of `pass_fds`.
    """
    flag = tmp_path / "flag"
    told = tmp_path / "pids"
    runs = [bench.lodger.by_name(patient.name).enqueue(str(flag)).id]
    runs.append(bench.lodger.by_name(family.name).enqueue(str(flag), str(told)).id)
    bench.wait_status("RUNNING", *runs)
    pids = [int(word) for word in wait_until(lambda: told.exists() and told.read_text(), 60, "the pids").split()]
    assert listens(port)
    web.send_signal(signal.SIGKILL)
    web.wait()
    assert not listens(port)
    assert len(pids) == 3
    for pid in pids:
        os.kill(pid, 0)  # it lives
    flag.touch()
    bench.wait_done(*runs)

"""Processes of ours: found and killed whatever else is on the host, and whatever the app does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from lodger.processes.ends import kill_session
from lodger.worker.declared import declared_by

ODD_NAME = "import ctypes; ctypes.CDLL(None).prctl(15, b'\\xff) \\xfe'); print('named', flush=True); input()"


@pytest.fixture
def oddly_named() -> Iterator[subprocess.Popen[bytes]]:
    """A stranger's process whose name is no text."""
    with subprocess.Popen([sys.executable, "-c", ODD_NAME], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        yield process
        process.kill()


def test_names_of_other_processes_do_not_matter(oddly_named: subprocess.Popen[bytes]) -> None:
    """Fails when the names are read as text: a worker could neither start engines nor stop."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as leader:
        kill_session(leader.pid)
        assert leader.wait(10) == -9
    assert oddly_named.poll() is None


def test_an_app_that_leaves_a_thread_running_is_read_all_the_same() -> None:
    """Its process would never end. Fails when it is waited for before it is killed."""
    found: list[list[str]] = []

    def read() -> None:
        found.append([spec.id for spec in declared_by("tests.worker.lingering:lodger").schedules])

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert found == [["lingering"]]

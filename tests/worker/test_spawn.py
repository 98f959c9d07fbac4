"""Processes of ours: found and killed whatever else is on the host, and whatever the app does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from lodger.processes.ends import kill_session
from lodger.worker.declared import Inquiry, declared_by
from tests.support.wait import wait_until

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


def test_who_finds_no_thread_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when the first try is taken for one that goes on: nobody would ever answer."""
    inquiry = Inquiry("tests.worker.lingering:lodger")
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            inquiry.ask()
    answer = wait_until(inquiry.ask, 30, "an answer")
    assert answer.jobs == {"tick": "default"}
    assert inquiry.ask() is answer


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_an_inquiry_is_a_guest_of_who_asks() -> None:
    """Its import gives way to the web server. Fails when it has the niceness of who asks."""
    own = os.nice(0)
    assert declared_by("tests.worker.polite:lodger", nice=own + 3).jobs == {f"nice-{own + 3}": "default"}


def test_a_failing_inquiry_says_what_follows_and_nothing_once_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """Fails when an orderly stop complains that the import was ended by it."""
    inquiry = Inquiry("tests.worker.no_such_app:lodger", meanwhile="the shop is closed")
    inquiry.ask()
    wait_until(lambda: "until then the shop is closed" in caplog.text, 30, "what it says")
    inquiry.stop()
    assert "can't be imported" in caplog.text
    caplog.clear()
    inquiry._complain(RuntimeError("its process was ended"))
    assert caplog.text == ""


def test_an_app_that_leaves_a_thread_running_is_read_all_the_same() -> None:
    """Its process would never end. Fails when it is waited for before it is killed."""
    found: list[list[str]] = []

    def read() -> None:
        found.append([spec.id for spec in declared_by("tests.worker.lingering:lodger").schedules])

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert found == [["lingering"]]

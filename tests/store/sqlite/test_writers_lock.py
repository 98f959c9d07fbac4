"""The lock that SQLite's writers queue on: nobody keeps it by accident, and nobody waits for it for ever."""

from __future__ import annotations

import ctypes
import fcntl
import threading
from pathlib import Path
from typing import Any

import pytest

from lodger.store import database, filelock
from lodger.store.filelock import FileLock
from tests.support.store import Store

PATIENCE = 0.05
LONG = 30.0


class Stop(Exception):
    """What the thread executor throws into a job's thread."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The side file."""
    return str(tmp_path / "lock")


def is_free(path: str) -> bool:
    """Whether another can have it at once."""
    other = FileLock(path)
    try:
        fcntl.flock(other._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def throw_into_this_thread() -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), ctypes.py_object(Stop))


def test_a_job_that_is_stopped_leaves_no_lock_behind(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception can arrive in the moment in which flock answers. Fails when `_take` stands before the try."""
    flock = fcntl.flock

    def flock_and_stop(fd: int, operation: int) -> None:
        flock(fd, operation)
        if operation != fcntl.LOCK_UN:
            throw_into_this_thread()

    lock = FileLock(path)
    monkeypatch.setattr(filelock.fcntl, "flock", flock_and_stop)
    with pytest.raises(Stop), lock.held(PATIENCE):
        pass
    monkeypatch.undo()
    assert is_free(path)


def test_a_writer_waits_so_long_for_a_frozen_one_and_then_goes_on_without_it(path: str) -> None:
    """Fails with a flock that waits by itself: for as long as the holder is frozen. And it took nothing away."""
    frozen, lock = FileLock(path), FileLock(path)
    with frozen.held(LONG):
        for _ in range(2):
            with lock.held(PATIENCE):
                assert not is_free(path)
        assert not is_free(path)
        assert sum(thread.name == "lodger-line" for thread in threading.enumerate()) == 1
    with lock.held(LONG):
        assert not is_free(path)
    assert is_free(path)


def test_an_enqueue_passes_a_frozen_writer_that_has_not_begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself is free. Fails when the wait is not bounded by WAIT_SECONDS."""
    monkeypatch.setattr(database, "WAIT_SECONDS", PATIENCE)
    with FileLock(f"{store.database.url.path}-lodger-lock").held(LONG):
        assert store.status(store.enqueue()) == "QUEUED"


def test_what_comes_when_nobody_waits_any_more_is_given_back(path: str) -> None:
    """Fails without `_wanted`: the lock would be held by a thread that has long gone on."""
    frozen, lock = FileLock(path), FileLock(path)
    with frozen.held(LONG), lock.held(PATIENCE):
        (line,) = [thread for thread in threading.enumerate() if thread.name == "lodger-line"]
    line.join(LONG)
    assert is_free(path)


def test_one_at_a_time_is_in(path: str) -> None:
    """Fails when a wait that is over is taken for a lock that was given."""
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        lock = FileLock(path)
        for _ in range(50):
            with lock.held(LONG):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads: list[Any] = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert (len(most), max(most)) == (200, 1)


def test_without_a_thread_to_stand_in_line_it_is_asked_again_and_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread can start while the interpreter ends. Fails when the lock then stays "waited for": 30 s each time."""
    holder = FileLock(path)
    lock = FileLock(path)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with holder.held(PATIENCE):
            held.set()
            free.wait(LONG)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(LONG)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with lock.held(PATIENCE):
        assert not is_free(path)  # the holder's
    free.set()
    thread.join()
    with lock.held(LONG):
        assert not is_free(path)  # ours
    assert is_free(path)

"""Wakes within a host, over real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lodger.wake.announcer import Announcer
from lodger.wake.directory import directory_for
from lodger.wake.inbox import Inbox
from tests.support.wait import wait_until
from tests.wake.helpers import TIMEOUT, Start, Wakes

if TYPE_CHECKING:
    from lodger.store.database import Database

PROGRAM = Path(__file__).with_name("program.py")


def test_a_listener_of_this_process_is_woken(database: Database, start: Start, announcers: Any) -> None:
    wakes = Wakes()
    assert start(database, wakes).hears == {"socket"}
    announcers(database).announce(["mail", "media"])
    wakes.wait_for("mail", "media")


def test_every_listener_is_woken(database: Database, start: Start, announcers: Any) -> None:
    several = [Wakes() for _ in range(5)]
    for wakes in several:
        start(database, wakes)
    announcers(database).announce({"default"})
    for wakes in several:
        wakes.wait_for("default")


def test_a_listener_that_comes_later_is_found(database: Database, start: Start, announcers: Any) -> None:
    announcer = announcers(database)
    announcer.announce(["default"])  # the listing, empty, is remembered from here on
    wakes = Wakes()
    start(database, wakes)

    def heard() -> bool:
        announcer.announce(["default"])
        return bool(wakes.all)

    wait_until(heard, 1.0, "the new listener to be found")


def test_another_database_is_not_woken(database: Database, tmp_path: Path, start: Start, announcers: Any) -> None:
    mine, theirs = Wakes(), Wakes()
    start(database, mine)
    start(type(database)(f"sqlite:///{tmp_path}/other.db"), theirs)
    announcers(database).announce(["default"])
    mine.wait_for("default")
    assert theirs.all == []


def test_another_process_wakes_and_is_woken(
    database: Database, runtime_dir: Path, start: Start, announcers: Any
) -> None:
    wakes = Wakes()
    start(database, wakes)
    command = [sys.executable, PROGRAM, database.url.url.render_as_string(False), runtime_dir]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "listening\n"
        announcers(database).announce(["ping"])
        assert other.stdout.readline() == "ping\n"  # it answers with an announcement of its own
        wakes.wait_for("pong")
        other.stdin.close()
        assert other.wait(TIMEOUT) == 0
    assert len(list(directory_for(database, runtime_dir).iterdir())) == 1


def test_the_socket_of_a_killed_process_is_removed(
    database: Database, runtime_dir: Path, start: Start, announcers: Any
) -> None:
    command = [sys.executable, PROGRAM, database.url.url.render_as_string(False), runtime_dir]
    sockets = directory_for(database, runtime_dir)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        announcer = announcers(database)
        announcer.announce(["ping"])
        other.kill()
    assert len(list(sockets.iterdir())) == 1
    wakes = Wakes()

    def removed() -> bool:
        announcer.announce(["default"])
        return not list(sockets.iterdir())

    wait_until(removed, TIMEOUT, "the announcer to remove the dead one's file")
    start(database, wakes)
    wait_until(lambda: announcer.announce(["default"]) or wakes.all, TIMEOUT, "a wake")


def test_a_starting_listener_removes_dead_sockets_but_no_living_ones(
    database: Database, runtime_dir: Path, start: Start, announcers: Any
) -> None:
    first = Wakes()
    start(database, first)
    sockets = directory_for(database, runtime_dir)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(sockets / "1-dead.sock"))
    start(database, Wakes())
    assert not (sockets / "1-dead.sock").exists()
    announcers(database).announce(["default"])
    first.wait_for("default")


def test_a_socket_file_that_was_cleaned_away_is_made_again(database: Database, runtime_dir: Path, start: Start) -> None:
    """Mutation: with Inbox.opened always true, the listener stays deaf."""
    wakes = Wakes()
    start(database, wakes)
    for path in directory_for(database, runtime_dir).iterdir():
        path.unlink()
    directory_for(database, runtime_dir).rmdir()
    wakes.wait_for(everything=True)  # what was sent meanwhile was missed
    Announcer(database, runtime_dir).announce(["default"])
    wakes.wait_for("default")


def test_who_was_sent_more_than_its_buffer_holds_looks_at_everything(
    database: Database, runtime_dir: Path, announcers: Any
) -> None:
    """Mutation: without MANY, the queue of the dropped announcement is never looked at."""
    inbox = Inbox(directory_for(database, runtime_dir))
    inbox.open()
    announcer = announcers(database)
    for number in range(2000):  # nobody reads
        announcer.announce([f"queue-{number % 5}"])
    announcer.announce(["dropped"])
    assert inbox.read() == frozenset()
    inbox.close()


def test_a_listener_that_stands_still_keeps_no_other_from_hearing(
    database: Database, runtime_dir: Path, start: Start, announcers: Any
) -> None:
    """Mutation: with one sending socket for all, its buffer fills with what the stuck ones do not read."""
    stuck = [Inbox(directory_for(database, runtime_dir)) for _ in range(40)]
    for inbox in stuck:
        inbox.open()
    announcer = announcers(database)
    for _ in range(2000):
        announcer.announce(["default"])
    wakes = Wakes()
    start(database, wakes)
    wait_until(lambda: announcer.announce(["last"]) or wakes.all, 1.0, "the living one to be woken")
    for inbox in stuck:
        inbox.close()


def test_sixteen_threads_announce_and_nothing_is_lost(database: Database, start: Start, announcers: Any) -> None:
    wakes = Wakes()
    start(database, wakes)
    announcer, barrier = announcers(database), threading.Barrier(16)
    costs: list[float] = []

    def announce(number: int) -> None:
        barrier.wait()
        for _ in range(200):
            before = time.perf_counter()
            announcer.announce([f"queue-{number}"])
            costs.append(time.perf_counter() - before)
        announcer.announce([f"last-{number}"])

    threads = [threading.Thread(target=announce, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    lasts = {f"last-{number}" for number in range(16)}

    def covered() -> bool:
        # A look at everything covers what was announced before it; the newest wake says whether it came last.
        named: set[str] = set()
        for queues in wakes.all:
            named = lasts if not queues else named | (queues & lasts)
        return named == lasts

    wait_until(covered, TIMEOUT, "every thread's last announcement")
    assert len(costs) == 16 * 200


def test_a_callback_that_raises_is_called_again(database: Database, start: Start, announcers: Any) -> None:
    wakes = Wakes()

    def faulty(queues: frozenset[str]) -> None:
        wakes(queues)
        if queues == {"first"}:
            raise ZeroDivisionError

    start(database, faulty)  # type: ignore[arg-type]
    announcer = announcers(database)
    announcer.announce(["first"])
    wakes.wait_for("first")
    announcer.announce(["second"])
    wakes.wait_for("second")


def test_stop_is_safe_at_any_time(database: Database, runtime_dir: Path, start: Start, announcers: Any) -> None:
    from lodger.wake.listener import Listener

    stopped = threading.Event()

    def stop(_: frozenset[str]) -> None:
        listener.stop()
        stopped.set()

    listener = Listener(database, stop, runtime_dir=runtime_dir)
    listener.stop()
    listener.start()
    listener.start()
    assert len(list(directory_for(database, runtime_dir).iterdir())) == 1
    announcers(database).announce(["default"])
    assert stopped.wait(TIMEOUT)
    listener.stop()
    assert listener.hears == frozenset()
    wait_until(lambda: not list(directory_for(database, runtime_dir).iterdir()), TIMEOUT, "its file to go")
    listener.start()
    assert listener.hears == {"socket"}
    listener.stop()
    assert not list(directory_for(database, runtime_dir).iterdir())


def test_announce_never_raises(database: Database, runtime_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    announcer = Announcer(database, runtime_dir)
    announcer.announce([])
    announcer.announce([None])  # type: ignore[list-item]
    announcer.announce([None])  # type: ignore[list-item]
    announcer.close()
    announcer.close()
    announcer.announce(["default"])
    assert [record.message for record in caplog.records] == ["workers learn of new runs by polling only"]

"""NOTIFY for the workers of other hosts: the announcer's side, seen by a session that listens."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from lodger.store.database import Database
from lodger.store.steps import perform
from lodger.wake.announcer import Announcer
from tests.support.wait import wait_until
from tests.wake.helpers import TIMEOUT
from tests.wake.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lodger.store.steps import Step, Steps

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lodger notify'"


class Session:
    """A session that listens."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("LISTEN lodger_wake")

    def receive(self, count: int, seconds: float = TIMEOUT) -> list[str]:
        """The next `count` notifications, or fewer if they do not come."""
        return [note.payload for note in self.connection.notifies(timeout=seconds, stop_after=count)][:count]


@pytest.fixture
def session(postgresql_url: str) -> Iterator[Session]:
    session = Session(postgresql_url)
    yield session
    session.connection.close()


def only(step: Step) -> Steps[None]:
    """The operation that consists of one step."""
    yield step


def test_an_announcement_notifies(postgresql: Database, session: Session, announcers: Any) -> None:
    announcers(postgresql).announce(["mail", "media"])
    assert sorted(session.receive(2)) == ["mail", "media"]


def test_a_burst_is_notified_at_once_and_at_the_end_of_each_window(
    postgresql: Database, session: Session, announcers: Any
) -> None:
    """Mutations: without Debounce.offer's window each is sent; with what is inside it dropped, the end is missing."""
    announcer = announcers(postgresql)
    start = time.monotonic()
    announcer.announce(["default"])
    assert session.receive(1) == ["default"]
    for _ in range(200):
        announcer.announce(["default"])
    assert session.receive(1) == ["default"]  # the trailing edge
    passed = time.monotonic() - start
    assert passed >= 0.1
    assert len(session.receive(100, 0.3)) <= passed / 0.1  # and no more than one per window


def test_sixteen_threads_share_the_windows_and_the_connection(
    postgresql: Database, session: Session, announcers: Any
) -> None:
    announcer, barrier = announcers(postgresql), threading.Barrier(16)
    start = time.monotonic()

    def announce() -> None:
        barrier.wait()
        for turn in range(100):
            announcer.announce([f"queue-{turn % 3}"])

    threads = [threading.Thread(target=announce) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    announcer.announce(["last"])
    received: list[str] = []
    wait_until(lambda: received.extend(session.receive(100, 0.3)) or "last" in received, TIMEOUT, "the last one")
    windows = (time.monotonic() - start) / 0.1
    for queue in ("queue-0", "queue-1", "queue-2"):
        assert 1 <= received.count(queue) <= windows + 1
    assert len(session.connection.execute(SESSIONS).fetchall()) == 1


def test_the_caller_never_waits_for_the_database(postgresql: Database, announcers: Any, monkeypatch: Any) -> None:
    """The server does not answer: the connection is made to somebody who accepts and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://postgres@127.0.0.1:{mute.getsockname()[1]}/app?connect_timeout=2"
        announcer = announcers(Database(url))
        start = time.monotonic()
        for number in range(1000):
            announcer.announce([f"queue-{number % 7}"])
        assert time.monotonic() - start < 1.0
        announcer.close()  # waits for a second at most
        assert time.monotonic() - start < 2.0


def test_a_lost_connection_is_replaced_without_a_word(
    postgresql: Database, session: Session, announcers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    announcer = announcers(postgresql)
    announcer.announce(["before"])
    session.receive(1)
    (pid,) = session.connection.execute(SESSIONS).fetchone() or pytest.fail("no session")
    session.connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    announcer.announce(["after"])
    assert session.receive(1) == ["after"]
    assert caplog.records == []


def test_what_is_announced_while_the_server_is_away_is_notified_when_it_is_back(
    postgresql_url: str, session: Session, announcers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Mutation: without put_back, it is forgotten."""
    caplog.set_level("INFO")
    with Proxy(postgresql_url) as proxy:
        url, port = proxy.url, proxy.port
    announcer = announcers(Database(url))
    announcer.announce(["meanwhile"])
    wait_until(lambda: "by polling for now" in caplog.text, TIMEOUT, "the failure to be logged")
    with Proxy(postgresql_url, port=port):
        assert session.receive(1) == ["meanwhile"]
        wait_until(lambda: "notified again" in caplog.text, TIMEOUT, "the recovery to be logged")
        announcer.close()
    assert len(caplog.records) == 2


def test_close_sends_what_waits(postgresql: Database, session: Session) -> None:
    announcer = Announcer(postgresql, Path("/nonexistent"))
    announcer.announce(["default"])
    session.receive(1)
    announcer.announce(["default"])
    announcer.close()
    announcer.announce(["too late"])
    assert session.receive(2, 0.5) == ["default"]
    assert session.connection.execute(SESSIONS).fetchall() == []


def test_the_step_notifies_with_the_commit(postgresql: Database, session: Session, announcers: Any) -> None:
    announcer = announcers(postgresql)
    (step,) = announcer.notify_step("postgresql", ["mail", "media"])
    with postgresql.begin() as conn:
        perform(conn, only(step))
        assert session.receive(1, 0.2) == []
    announcer.announce(["mail", "media"], notified=True)
    assert sorted(session.receive(3, 0.5)) == ["mail", "media"]


def test_within_the_window_there_is_no_step_but_a_notification_at_its_end(
    postgresql: Database, session: Session, announcers: Any
) -> None:
    announcer = announcers(postgresql)
    assert announcer.notify_step("postgresql", ["mail"])  # rolled back, say
    (step,) = announcer.notify_step("postgresql", ["mail", "media"])
    assert step.params == {"queues": ["media"]}
    assert session.receive(1) == ["mail"]


def test_other_engines_have_no_step(database: Database, postgresql: Database, announcers: Any) -> None:
    assert announcers(database).notify_step("sqlite", ["default"]) == []
    assert announcers(database).notify_step("postgresql", ["default"]) == []
    assert announcers(postgresql).notify_step("postgresql", []) == []

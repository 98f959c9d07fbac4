"""LISTEN: the listener's side, over real and over bad connections. Sockets are out of the way here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from lodger.store.database import Database
from lodger.wake.listener import Listener
from tests.support.wait import wait_until
from tests.wake.helpers import HASTY, TIMEOUT, Start, Wakes
from tests.wake.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lodger listen'"
PROOFS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lodger listen proof'"


class Admin:
    """A session beside the listener's."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def sessions(self) -> list[int]:
        """The listeners' sessions."""
        return [pid for (pid,) in self.connection.execute(SESSIONS)]

    def notify(self, queue: str) -> None:
        """As an announcer on another host does."""
        self.connection.execute("SELECT pg_notify('lodger_wake', %s)", (queue,))


@pytest.fixture
def admin(postgresql_url: str) -> Iterator[Admin]:
    admin = Admin(postgresql_url)
    yield admin
    admin.connection.close()


def hears(listener: Listener) -> None:
    wait_until(lambda: "notify" in listener.hears, TIMEOUT, "a proven LISTEN connection")


def test_a_notification_wakes(postgresql: Database, admin: Admin, start: Start) -> None:
    wakes = Wakes()
    start(postgresql, wakes)
    wakes.wait_for(everything=True)  # what was notified before it listened was missed
    admin.notify("mail")
    wakes.wait_for("mail")
    admin.notify("")
    wakes.clear()
    wakes.wait_for(everything=True)


def test_an_announcer_of_another_host_wakes(
    postgresql: Database, runtime_dir: Path, start: Start, announcers: Any
) -> None:
    wakes = Wakes()
    hears(start(postgresql, wakes))
    announcers(postgresql, runtime_dir / "other-host").announce(["mail"])
    wakes.wait_for("mail")


def test_one_connection_is_kept_however_often_it_echoes(postgresql: Database, admin: Admin, start: Start) -> None:
    wakes = Wakes()
    hears(start(postgresql, wakes))
    (before,) = admin.sessions()
    asked = "SELECT query_start FROM pg_stat_activity WHERE pid = %s"
    first = admin.connection.execute(asked, (before,)).fetchone()
    wait_until(lambda: admin.connection.execute(asked, (before,)).fetchone() != first, TIMEOUT, "an echo")
    assert admin.sessions() == [before]
    assert admin.connection.execute(PROOFS).fetchone() == (0,)
    assert wakes.all == [frozenset()]  # echoes are nobody's business


def test_a_killed_session_is_replaced(
    postgresql: Database, admin: Admin, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    wakes = Wakes()
    hears(start(postgresql, wakes))
    (pid,) = admin.sessions()
    wakes.clear()
    admin.connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    wakes.wait_for(everything=True)
    admin.notify("mail")
    wakes.wait_for("mail")
    assert pid not in admin.sessions()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_frozen_network_is_noticed_by_the_echo(
    postgresql_url: str, admin: Admin, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Mutation: with Ear._at_deadline sending no echo, the listener stays deaf without knowing."""
    with Proxy(postgresql_url) as proxy:
        wakes = Wakes()
        listener = start(Database(f"{proxy.url}?connect_timeout=2"), wakes)
        hears(listener)
        proxy.frozen = True
        wait_until(lambda: "notify" not in listener.hears, TIMEOUT, "the loss to be noticed")
        wakes.clear()
        proxy.frozen = False
        wakes.wait_for(everything=True)
        admin.notify("mail")
        wakes.wait_for("mail")
        listener.stop()
    assert "LISTEN was lost" in caplog.text


def test_a_pooler_that_delivers_nothing_leads_to_polling_and_one_line(
    postgresql_url: str, start: Start, announcers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Mutation: with the proof sent over the listening connection itself, the listener believes that it hears."""
    with Proxy(postgresql_url, pooling=True) as proxy:
        database = Database(proxy.url)
        wakes = Wakes()
        listener = start(database, wakes)
        wait_until(lambda: proxy.accepted >= 6, TIMEOUT, "a third try")  # two connections each
        assert listener.hears == {"socket"}
        announcers(database).announce(["default"])
        wakes.wait_for("default")  # by the socket
        proxy.pooling = False
        hears(listener)
        listener.stop()
    lines = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1
    assert "pooler" in lines[0]


def test_a_refused_listen_leads_to_polling_and_one_line(
    postgresql_url: str, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    wakes = Wakes()
    start(Database(postgresql_url.replace("postgres@", "nobody-here@")), wakes)
    wait_until(lambda: caplog.records, TIMEOUT, "the line")
    assert "nobody-here" not in caplog.text
    assert len(caplog.records) == 1


def test_a_server_that_is_down_is_no_reason_not_to_start_or_stop(
    runtime_dir: Path, start: Start, announcers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database("postgresql://postgres@127.0.0.1:1/app")
    wakes = Wakes()
    listener = start(database, wakes)
    wait_until(lambda: "LISTEN was lost" in caplog.text, TIMEOUT, "the line")
    announcers(database).announce(["default"])
    wakes.wait_for("default")
    listener.stop()


def test_stop_closes_the_connection_also_one_that_is_being_made(
    postgresql: Database, runtime_dir: Path, admin: Admin
) -> None:
    listener = Listener(postgresql, Wakes(), runtime_dir=runtime_dir, pace=HASTY)
    for _ in range(5):
        listener.start()
        listener.stop()
    listener.start()
    hears(listener)
    listener.stop()
    wait_until(lambda: not admin.sessions(), TIMEOUT, "the sessions to end")


def test_without_listen_only_the_socket_is_used(postgresql: Database, admin: Admin, start: Start) -> None:
    listener = start(postgresql, Wakes(), listen=False)
    assert listener.hears == {"socket"}
    assert admin.sessions() == []

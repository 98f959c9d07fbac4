"""The servers of tools.servers are real, durable, and gone when they should be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pymysql
import pytest

from tests.support.wait import wait_until
from tools.servers import SERVERS, MariaDB, PostgreSQL, Server, ServerError, postgres
from tools.servers.admin import CONNECTION_ERRORS, cursor
from tools.servers.base import is_root
from tools.servers.guard import alive
from tools.servers.mariadb import BIN_DIR
from tools.servers.postgres import from_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER_NAMES = list(SERVERS)


@pytest.fixture(scope="module", params=SERVER_NAMES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for the tests of this file alone: they kill it."""
    with SERVERS[request.param](buffer_mb=32) as running:
        yield running


@pytest.fixture
def filled_url(server: Server) -> Iterator[str]:
    """A database with one acknowledged row."""
    server.start()
    url = server.create_database("filled")
    with cursor(url) as sql:
        sql.execute("CREATE TABLE acknowledged (id INTEGER PRIMARY KEY)")
        sql.execute("INSERT INTO acknowledged VALUES (1)")
    yield url
    server.drop_database("filled")


def rows(url: str) -> list[int]:
    """What the table holds now."""
    with cursor(url) as sql:
        sql.execute("SELECT id FROM acknowledged")
        return [number for (number,) in sql.fetchall()]


def test_a_new_database_is_empty_and_its_own(server: Server) -> None:
    server.start()
    one, other = server.create_database("one"), server.create_database("other")
    with cursor(one) as sql:
        sql.execute("CREATE TABLE only_here (id INTEGER)")
    with cursor(other) as sql, pytest.raises((psycopg.ProgrammingError, pymysql.err.ProgrammingError)):
        sql.execute("SELECT id FROM only_here")
    server.drop_database("one")
    server.drop_database("other")
    with pytest.raises(CONNECTION_ERRORS), cursor(one):
        pass


def test_drop_database_ends_the_sessions_that_use_it(server: Server) -> None:
    server.start()
    url = server.create_database("busy")
    with cursor(url) as sql:
        sql.execute("CREATE TABLE locked (id INTEGER)")
        sql.execute("BEGIN")
        sql.execute("INSERT INTO locked VALUES (1)")
        server.drop_database("busy")
        with pytest.raises(CONNECTION_ERRORS):
            sql.execute("SELECT 1")


@pytest.mark.parametrize("name", ["Upper", "with space", 'quo"te', "", "dash-ed", "ümlaut"])
def test_a_name_that_needs_quotes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain lower-case"):
        PostgreSQL().create_database(name)


def test_kill_leaves_no_process_and_start_finds_the_data(server: Server, filled_url: str) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.kill()
    assert not [member for member in family if alive(member)]
    assert not server.running
    with pytest.raises(CONNECTION_ERRORS):
        rows(filled_url)
    server.start()
    assert rows(filled_url) == [1]


def test_restart_breaks_connections_and_keeps_port_and_data(server: Server, filled_url: str) -> None:
    before = server.pid
    with cursor(filled_url) as sql:
        server.restart()
        with pytest.raises(CONNECTION_ERRORS):
            sql.execute("SELECT 1")
    assert server.pid != before
    assert rows(filled_url) == [1]


def test_shut_down_and_start_keep_the_data(server: Server, filled_url: str) -> None:
    server.shut_down()
    assert not server.running
    server.start()
    assert rows(filled_url) == [1]


def test_only_loopback_listens(server: Server) -> None:
    server.start()
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(server.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_commits_are_durable(server: Server) -> None:
    """A test of crash safety on a server that does not sync would show nothing."""
    server.start()
    expected = {
        "postgresql": {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"},
        "mariadb": {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON"},
    }[server.name]
    with cursor(server.url) as sql:
        for setting, value in expected.items():
            sql.execute(f"SHOW {setting}" if server.name == "postgresql" else f"SHOW VARIABLES LIKE '{setting}'")
            assert sql.fetchone()[-1] == value, setting


@pytest.mark.parametrize("name", SERVER_NAMES)
def test_stop_removes_everything(name: str) -> None:
    server = SERVERS[name](buffer_mb=32).start()
    process, directory = psutil.Process(server.pid), server.directory
    assert directory.exists()
    server.stop()
    assert not alive(process)
    assert not directory.exists()


@pytest.mark.parametrize("name", SERVER_NAMES)
def test_a_killed_starter_leaves_nothing_behind(name: str) -> None:
    """Fails without the guard: nobody else is left to end the server and remove its directory."""
    program = (
        f"from tools.servers import SERVERS; s = SERVERS[{name!r}](buffer_mb=32).start();"
        "print(s.pid, s.directory, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as starter:
        assert starter.stdout is not None
        pid, directory = starter.stdout.readline().split()
        process = psutil.Process(int(pid))
        assert alive(process)
        starter.send_signal(signal.SIGKILL)
        starter.wait()
        wait_until(lambda: not alive(process), 15, "the server to end with its starter")
        wait_until(lambda: not Path(directory).exists(), 15, "the directory to be removed")


def test_binaries_that_the_account_cannot_reach_are_copied(tmp_path: Path) -> None:
    """As in a virtual environment below a closed home directory; only root has another account run the server."""
    package = next(from_wheel()).parents[1]
    closed = tmp_path / "closed"
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    closed.chmod(0o700)
    server = PostgreSQL(buffer_mb=32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "find_binaries", lambda: closed / package.name / "pginstall" / "bin")
        with server:
            started = psutil.Process(server.pid).exe()
            copied = Path(started).is_relative_to(server.directory)
            assert copied == is_root()


def test_a_setting_that_stops_the_start_is_told_from_the_log() -> None:
    with pytest.raises(ServerError, match="no_such_setting"):
        PostgreSQL(buffer_mb=32, options={"no_such_setting": "1"}).start()


def test_a_missing_mariadb_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BIN_DIR, "/nonexistent")
    with pytest.raises(ServerError, match="Install one with: sudo apt-get install -y mariadb-server"):
        MariaDB().start()


def test_a_missing_mariadb_fails_the_test_run() -> None:
    """The run fails before a test starts; it does not go on with two engines."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LODGER_TEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "tools.testrun", "--collect-only"],
        env={**environment, BIN_DIR: "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install -y mariadb-server" in done.stderr
    assert "collected" not in done.stdout


def test_exec_gives_a_new_database_and_the_status_of_the_command() -> None:
    program = (
        "import os; from tools.servers.admin import cursor\n"
        "with cursor(os.environ['DATABASE_URL']) as sql: sql.execute('CREATE TABLE t (id INTEGER)')\n"
        "raise SystemExit(3)"
    )
    done = subprocess.run(
        [sys.executable, "-m", "tools.servers", "exec", "postgresql", "--", sys.executable, "-c", program],
        check=False,
    )
    assert done.returncode == 3

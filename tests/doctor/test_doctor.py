"""`lodger doctor`: what people read, what scripts read, its exit code; and what it says without a database."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lodger.cli.paint import painter
from lodger.doctor.rules import NAMES
from lodger.store import queues, workers
from lodger.store.migrations import LATEST
from tests.doctor.conftest import Command
from tests.support.databases import Databases
from tests.support.schedules import Schedules, spec
from tests.support.store import Store

GRACE = "grace"
"""Always there in these tests: a few runs are not enough to tell how long jobs take."""


def found(lodger: Command) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by their names."""
    code, out, err = lodger("doctor", "--json")
    assert err == ""
    return code, {one["rule"]: one for one in json.loads(out)["findings"]}


def ready(store: Store, *jobs: str, **fields: Any) -> str:
    worker = store.worker(placement="separate", **fields)
    engines = [{"number": 1, "pid": 7, "state": "running", "active": 0, "error": None}]
    store.database.transact(
        lambda conn: workers.beat(conn, worker, jobs=jobs, engines=engines, claimed=False, stopping=False)
    )
    return worker


def test_where_all_is_well_the_code_is_0(lodger: Command, store: Store) -> None:
    """On servers and settings as the tests start them, which are those of production. No false alarm."""
    ready(store, "j")
    code, told = found(lodger)
    assert (code, set(told)) == (0, {GRACE}), told
    assert told[GRACE]["severity"] == "unknown"
    code, out, _ = lodger("doctor")
    assert code == 0
    assert "environment e, 1 live worker: nothing stands in the way of work" in out.splitlines()[0]
    assert "not enough data: 0 of the newest runs have ended" in out


def test_without_a_worker_and_without_work_it_is_a_warning(lodger: Command, store: Store) -> None:
    code, told = found(lodger)
    assert (code, told["no-worker"]["severity"]) == (1, "warning")


def test_the_table_and_what_to_do(lodger: Command, store: Store) -> None:
    store.enqueue(queue="media", job="resize")
    store.enqueue(queue="media", job="re\x1b[31msize")
    ready(store, "resize", queues=("mail",))
    code, out, _ = lodger("doctor")
    assert code == 2
    lines = out.splitlines()
    assert lines[0].endswith("1 live worker: 1 error, 0 warnings")
    assert lines[2].split() == ["severity", "finding", "what"]
    assert lines[3].split()[:2] == ["error", "no-worker"]
    assert "\x1b" not in out, "no colours into a pipe, and no control characters of a job's name"
    detail = lines.index(next(line for line in lines if line.startswith("error no-worker: no live worker serves")))
    assert lines[detail + 1].startswith("  seen   queue: media; jobs: ")
    assert "waiting: 2" in lines[detail + 1]
    assert lines[detail + 2].startswith(
        "  to do  LODGER_ENVIRONMENT=e LODGER_APP=tests.doctor.app:lodger lodger worker --queues media; or "
    )


def test_json_has_all_that_the_table_has(lodger: Command, store: Store) -> None:
    store.enqueue(job="resize")
    told = json.loads(lodger("doctor", "--json")[1])
    assert told.keys() == {"status", "at", "environment", "live_workers", "findings"}
    assert (told["status"], told["environment"], told["live_workers"]) == ("errors", "e", 0)
    assert told["at"].endswith("+00:00")
    first = told["findings"][0]
    assert first.keys() == {"severity", "rule", "what", "evidence", "todo"}
    assert first["evidence"]["waiting"] == 1


def test_a_paused_queue_is_no_finding(lodger: Command, store: Store) -> None:
    store.enqueue(job="other")
    ready(store, "j")
    assert found(lodger)[1]["unknown-job"]["evidence"]["jobs"] == ["other"]
    store.database.transact(lambda conn: queues.pause(conn, "default"))
    assert found(lodger)[0] == 0


def test_schedules_without_a_daemon(lodger: Command, schedules: Schedules, store: Store) -> None:
    ready(store, "j")
    schedules.put(spec("night"))
    schedules.back("night")
    code, told = found(lodger)
    assert (code, told["no-daemon"]["evidence"]["due_now"]) == (2, 1)
    schedules.scheduler()
    code, told = found(lodger)
    assert (code, "late-schedule" in told) == (1, True)
    schedules.fire_due()
    assert found(lodger)[0] == 0


def test_what_no_code_declares_any_more(lodger: Command, schedules: Schedules, store: Store) -> None:
    ready(store, "j")
    schedules.scheduler()
    schedules.declare(spec("gone"), owner=None)
    schedules.set("gone", undeclared_at=schedules.now(), due_at=None)
    code, told = found(lodger)
    assert (code, told["undeclared-schedule"]["todo"][:29]) == (1, "lodger schedules delete gone;")


def test_a_grace_shorter_than_the_jobs(lodger: Command, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The durations are those in the table. Fails when `newest_durations` reads other columns."""
    ready(store, "j")
    for _ in range(100):
        store.ended("SUCCEEDED", took=12, ago=60)
    code, told = found(lodger)
    assert (code, told["grace"]["evidence"]["p99_seconds"]) == (1, 12)
    assert told["grace"]["todo"].startswith("LODGER_GRACE_SECONDS=15 ")
    monkeypatch.setenv("LODGER_GRACE_SECONDS", "15")
    assert found(lodger)[0] == 0


def test_tables_of_another_release(lodger: Command, store: Store) -> None:
    """Older ones are not looked into; newer ones are."""
    ready(store, "j")
    store.enqueue()

    def set_version(number: int) -> None:
        store.change(lambda t: f"UPDATE {t.meta} SET value = '{number}' WHERE name = 'schema_version'")

    set_version(LATEST - 1)
    code, told = found(lodger)
    assert (code, set(told)) == (2, {"schema"})
    assert told["schema"]["todo"].startswith("lodger migrate")
    set_version(LATEST + 1)
    assert found(lodger)[1]["schema"]["severity"] == "warning"
    set_version(LATEST + 2)
    assert found(lodger)[1]["schema"]["severity"] == "error"


@pytest.mark.parametrize("command", ["doctor", "stats"])
def test_without_tables_it_names_the_command(lodger: Command, command: str) -> None:
    code, out, err = lodger(command)
    assert (code, out) == (2, "")
    assert err.startswith("lodger: ")
    assert "has no Lodger tables: run 'lodger migrate'" in err


@pytest.mark.parametrize("command", ["doctor", "stats"])
def test_without_a_url_it_names_the_variable(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lodger import cli

    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert cli.main([command]) == 2
    assert capsys.readouterr().err.startswith("lodger: DATABASE_URL is not set")
    assert cli.main([command, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"].startswith("DATABASE_URL is not set")


@pytest.mark.parametrize("command", ["doctor", "stats"])
def test_a_sqlite_file_is_not_made_by_looking(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two services each with a file of its own would be the original bug again. Fails without the look in `opened`."""
    from lodger import cli

    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    assert cli.main([command]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_server_that_does_not_answer(
    engine: str, databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, and no password. Fails without `except Exception` in `opened`."""
    from lodger import cli

    scheme = {"postgresql": "postgresql", "mariadb": "mysql"}[engine]
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://me:secret@127.0.0.1:1/shop")
    assert cli.main(["doctor"]) == 2
    err = capsys.readouterr().err
    assert "DATABASE_URL" in err
    assert "a database that answers" in err
    assert "secret" not in err


class Terminal(io.StringIO):
    """Something that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_only_on_a_terminal_and_where_nobody_refuses_them() -> None:
    """Fails, one line each, without `isatty`, NO_COLOR or TERM in `_wanted`."""
    assert painter(Terminal(), {})("x", "red") == "\x1b[31mx\x1b[0m"
    assert painter(io.StringIO(), {})("x", "red") == "x"
    assert painter(Terminal(), {"NO_COLOR": "1"})("x", "red") == "x"
    assert painter(Terminal(), {"TERM": "dumb"})("x", "red") == "x"


def test_the_page_has_every_finding() -> None:
    """Fails when a finding has no paragraph in docs/doctor.md, or a paragraph no finding."""
    page = Path(__file__).parents[2] / "docs" / "doctor.md"
    named = [line[5:-1] for line in page.read_text().splitlines() if line.startswith("### `")]
    assert sorted(named) == sorted(NAMES)

"""`lodger schedules`: what people read, what scripts read, what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lodger import cli
from lodger.cli.table import table
from lodger.model.timetable import Cron, Every
from tests.support.schedules import Schedules, spec
from tests.support.store import Store, new_run

Lodger = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lodger(
    database_url: str, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lodger:
    """Runs a command; returns its exit code, what it printed and what it complained about."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def three(schedules: Schedules, store: Store) -> None:
    """Three schedules: one stored, one declared, one that nobody declares any more."""
    schedules.put(spec("night", Cron("30 2 * * *", timezone="Europe/Berlin"), run=new_run(queue="q")))
    schedules.declare(spec("often", Every(minutes=5)), owner=store.worker())
    schedules.declare(spec("gone", Every(hours=1)), owner=None)
    schedules.set("gone", undeclared_at=schedules.now(), due_at=None)


def listed(lodger: Lodger) -> dict[str, dict[str, Any]]:
    code, out, _ = lodger("schedules", "list", "--json")
    assert code == 0
    return {told["id"]: told for told in json.loads(out)}


def test_without_schedules_it_says_how_to_make_one(lodger: Lodger) -> None:
    code, out, err = lodger("schedules")
    assert (code, err) == (0, "")
    assert "lodger.schedule(" in out
    assert listed(lodger) == {}


def test_the_table(lodger: Lodger, three: None) -> None:
    code, out, _ = lodger("schedules")
    assert code == 0
    assert out == lodger("schedules", "list")[1]
    lines = out.splitlines()
    assert lines[0].split() == "id state timetable next last fired left out job queue from".split()  # noqa: SIM905
    rows = {line.split()[0]: line for line in lines[1:4]}
    assert list(rows) == ["gone", "night", "often"]
    assert " active " in rows["night"]
    assert " 30 2 * * * (Europe/Berlin) " in rows["night"]
    assert " 02:30:00 +0" in rows["night"]  # in its own zone
    assert rows["night"].endswith("stored")
    assert " every 5 min " in rows["often"]
    assert " undeclared " in rows["gone"]
    assert "lodger schedules delete gone" in lines[5]


def test_json(lodger: Lodger, three: None) -> None:
    night = listed(lodger)["night"]
    assert night["timetable"] == {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    assert (night["origin"], night["state"], night["queue"], night["fired"]) == ("stored", "active", "q", 0)
    assert night["next_at"].endswith("+00:00")
    assert listed(lodger)["often"]["timetable"] == {"every_seconds": 300.0}


def test_pause_and_resume(lodger: Lodger, three: None) -> None:
    assert lodger("schedules", "pause", "night") == (0, "schedule night: paused; next -\n", "")
    assert listed(lodger)["night"]["state"] == "paused"
    code, out, _ = lodger("schedules", "resume", "night")
    assert (code, out[:32]) == (0, "schedule night: resumed; next 20")
    assert json.loads(lodger("schedules", "pause", "often", "--json")[1])["state"] == "paused"


def test_run(lodger: Lodger, three: None, store: Store) -> None:
    code, out, _ = lodger("schedules", "run", "night")
    (run,) = store.ids()
    assert (code, out) == (0, f"run {run} of j in queue q: created\n")
    told = json.loads(lodger("schedules", "run", "night", "--json")[1])
    assert told == {"schedule": "night", "run": store.ids()[1], "created": True}


def test_delete(lodger: Lodger, three: None) -> None:
    assert lodger("schedules", "delete", "night") == (0, "schedule night: deleted\n", "")
    assert lodger("schedules", "delete", "gone", "--json")[:2] == (0, '{"id": "gone"}\n')
    code, out, err = lodger("schedules", "delete", "often")
    assert (code, out) == (2, "")
    assert "code declares it" in err
    assert list(listed(lodger)) == ["often"]


@pytest.mark.parametrize("action", ["pause", "resume", "run", "delete"])
def test_what_is_not_there(lodger: Lodger, action: str) -> None:
    code, out, err = lodger("schedules", action, "nothing")
    assert (code, out) == (2, "")
    assert err.startswith("lodger: no schedule nothing")
    code, _, err = lodger("schedules", action, "a b")
    assert code == 2
    assert "'a b' is not allowed" in err


def test_without_a_database_it_names_the_variable(lodger: Lodger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    for command in (("schedules",), ("scheduler",)):
        code, _, err = lodger(*command)
        assert code == 2
        assert "DATABASE_URL" in err


def test_a_table_aligns_numbers_and_obeys_no_control_characters() -> None:
    made = table(["name", "count"], [["a\x1b[31m", "5"], ["bb", "-"], ["c\nd", "100"]])
    assert made.splitlines() == ["name    count", "a\ufffd[31m      5", "bb          -", "c\ufffdd       100"]

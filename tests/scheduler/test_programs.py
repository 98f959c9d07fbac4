"""`lodger worker`, `lodger scheduler` and a web process, as they are started by people: who declares, who fires."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lodger import Lodger
from lodger.processes.table import processes
from lodger.store import schedulers
from lodger.store.sql import Terms
from lodger.worker import declared
from tests.faults.fleet import ROOT, Fleet, Worker, command_of
from tests.support.schedules import Schedules, spec
from tests.support.wait import wait_until

APP = "tests.scheduler.app:lodger"
LODGER = str(Path(sys.executable).with_name("lodger"))

Start = Callable[..., Worker]


@pytest.fixture
def fleet(database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def start(fleet: Fleet, schedules: Schedules, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts `lodger COMMAND` with an app that declares `declares`."""
    del schedules  # the tables are there

    def run(*command: str, declares: str = "tick", app: str = APP) -> Worker:
        monkeypatch.setenv("TEST_SCHEDULES", declares)
        monkeypatch.setenv("LODGER_APP", app)
        return fleet.run([LODGER, *command], schedule_seconds=0.1)

    return run


def state(schedules: Schedules, schedule: str = "tick") -> str | None:
    """Its state; None: there is no such schedule."""
    rows = schedules.store.rows(lambda t: f"SELECT id FROM {t.schedule} WHERE id = :id", id=schedule)
    return schedules.get(schedule).state if rows else None


def fired(schedules: Schedules, schedule: str = "tick") -> int:
    return schedules.get(schedule).fired if state(schedules, schedule) else 0


def live_daemons(schedules: Schedules) -> list[str]:
    with schedules.database.connect() as conn:
        return [row.id for row in schedulers.listing(conn)]


def test_a_worker_declares_fires_and_runs(schedules: Schedules, start: Start) -> None:
    worker = start("worker")
    done = "SELECT COUNT(*) FROM {} WHERE status = 'SUCCEEDED' AND result = '\"tick\"'"
    wait_until(lambda: schedules.store.rows(lambda t: done.format(t.run))[0][0] >= 2, 30, "two runs")
    assert schedules.get("tick").origin == "code"
    assert len(live_daemons(schedules)) == 1
    worker.terminate()
    assert worker.wait(30) == 0
    assert live_daemons(schedules) == []


def test_a_worker_without_schedules_leaves_firing_to_others(schedules: Schedules, start: Start) -> None:
    start("worker", "--no-schedules")
    wait_until(lambda: state(schedules) == "active", 30, "the declaration")
    assert live_daemons(schedules) == []
    assert fired(schedules) == 0
    start("scheduler", app="")  # it knows no app, and needs none
    wait_until(lambda: fired(schedules) >= 2, 30, "two fires")


def test_a_scheduler_alone_declares_what_its_app_declares(schedules: Schedules, start: Start) -> None:
    scheduler = start("scheduler")
    wait_until(lambda: fired(schedules) >= 2, 30, "two fires")
    scheduler.terminate()
    assert scheduler.wait(30) == 0
    assert live_daemons(schedules) == []
    assert "Traceback" not in scheduler.log


def test_an_app_that_can_t_be_imported_does_not_keep_others_from_firing(schedules: Schedules, start: Start) -> None:
    schedules.put(spec("stored", run=None))
    schedules.back("stored")
    scheduler = start("scheduler", app="tests.scheduler.no_such_app:lodger")
    wait_until(lambda: fired(schedules, "stored"), 30, "a fire")
    wait_until(lambda: "no_such_app" in scheduler.log and "can't be imported" in scheduler.log, 30, "the reason")


def test_an_import_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red, for ever, without the limit."""
    monkeypatch.setattr(declared, "IMPORT_SECONDS", 1.0)
    with pytest.raises(declared.NotDeclared, match="its import has not ended in 1 s"):
        declared.declared_by("tests.worker.hanging:lodger")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are processes, not databases
@pytest.mark.parametrize("begun", [False, True], ids=["before it begins", "while it goes on"])
def test_an_import_ends_with_the_daemon_that_asked_for_it(
    start: Start, begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However that ends. Red without `die_with_parent`, or without the look at the channel after it."""
    monkeypatch.setenv("TEST_HANGING", str(tmp_path / "begun"))
    scheduler = start("scheduler", app="tests.worker.hanging:lodger")

    def importing() -> list[int]:
        children = [one.pid for one in processes().values() if one.parent == scheduler.process.pid]
        return [pid for pid in children if b"lodger.worker.declared" in command_of(pid)]

    (pid,) = wait_until(importing, 30, "the import")
    if begun:
        wait_until((tmp_path / "begun").exists, 30, "its begin")
    scheduler.process.kill()
    wait_until(lambda: b"lodger.worker.declared" not in command_of(pid), 10, "its end")


def test_after_a_deploy_what_is_declared_no_more_stops_and_is_flagged(schedules: Schedules, start: Start) -> None:
    old = start("worker", declares="kept gone")
    wait_until(lambda: fired(schedules, "gone") >= 1, 30, "the old release")
    new = start("worker", declares="kept added")
    wait_until(lambda: fired(schedules, "added") >= 1, 30, "the new release")
    before = fired(schedules, "gone")
    wait_until(lambda: fired(schedules, "gone") > before, 30, "the old one's schedule to fire while it lives")
    old.terminate()
    assert old.wait(30) == 0
    stopped = fired(schedules, "gone")
    wait_until(lambda: state(schedules, "gone") == "undeclared", 30, "the flag")
    assert fired(schedules, "gone") == stopped
    wait_until(lambda: fired(schedules, "kept") > stopped, 30, "what both declare")
    new.terminate()
    assert new.wait(30) == 0


def test_a_web_process_makes_its_schedules_known(schedules: Schedules, fleet: Fleet) -> None:
    """Though no worker ever starts: that is how it comes out that none does. Red without the imports."""
    environment = {
        **os.environ,
        **fleet.environment(),
        "TEST_SCHEDULES": "tick imported",
        "EMBEDDED_JOB_WORKER": "false",
    }
    command = [sys.executable, "-m", "tests.scheduler.web"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as web:
        wait_until(lambda: state(schedules) == "active", 30, "the schedule")
        wait_until(lambda: state(schedules, "imported") == "active", 30, "the schedule of a module in imports")
        web.communicate(timeout=30)
    assert web.returncode == 0
    assert fired(schedules) == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are processes, not databases
@pytest.mark.parametrize(
    ("worker", "daemon", "fires", "executes"),
    [
        ("auto", "auto", True, True),
        ("thread", "auto", True, True),
        ("auto", "true", True, True),
        ("false", "true", True, False),
        ("true", "false", False, True),
    ],
)
def test_a_web_process_fires_where_it_is_told_to(
    schedules: Schedules, fleet: Fleet, worker: str, daemon: str, fires: bool, executes: bool
) -> None:
    """By default wherever a worker runs. Red when an embedded worker carries no daemon, or one that was ruled out."""
    modes = {"EMBEDDED_JOB_WORKER": worker, "EMBEDDED_SCHEDULE_DAEMON": daemon}
    environment = {**os.environ, **fleet.environment(schedule_seconds=0.1), "TEST_SCHEDULES": "imported", **modes}
    command = [sys.executable, "-m", "tests.scheduler.web"]

    def declared(t: Terms) -> str:
        return f"SELECT owner FROM {t.declaration} WHERE schedule_id = 'imported'"

    ended = "SELECT COUNT(*) FROM {} WHERE status = 'SUCCEEDED'"
    lodger = Lodger(url=fleet.url)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE) as web:
        if fires:
            wait_until(lambda: fired(schedules, "imported") >= 2, 30, "two fires")
        else:
            wait_until(lambda: state(schedules, "imported"), 30, "the declaration")
            lodger.run_schedule("imported")
        wait_until(lambda: schedules.store.rows(declared), 30, "who lives to declare it, imports included")
        if executes:
            wait_until(lambda: schedules.store.rows(lambda t: ended.format(t.run))[0][0], 30, "a run to end")
        web.communicate(timeout=30)
    assert web.returncode == 0
    assert (fired(schedules, "imported") > 0) == fires
    assert live_daemons(schedules) == []
    lodger.close()
    if not executes:
        assert schedules.store.rows(lambda t: ended.format(t.run))[0][0] == 0

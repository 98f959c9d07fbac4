"""The bug that this product is made to make impossible: a web service without a worker. Real processes, all engines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import ROOT, Fleet
from tests.support.store import Store
from tests.support.wait import wait_until

LODGER = str(Path(sys.executable).with_name("lodger"))
WARNING = "WARNING lodger.orphans no live worker serves resize in queue media (1 waiting, "
CLEARED = "WARNING lodger.orphans a live worker serves resize in queue media again"


@pytest.fixture
def fleet(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    runtime = tempfile.mkdtemp(prefix="lodger-")  # pytest's own paths are too long for a socket
    monkeypatch.setenv("LODGER_RUNTIME_DIR", runtime)
    with Fleet(database_url, tmp_path) as made:
        yield made
    shutil.rmtree(runtime, ignore_errors=True)


def look(fleet: Fleet, command: str) -> tuple[int, dict[str, Any]]:
    """`lodger COMMAND --json` in a process of its own: its exit code and what it tells."""
    done = subprocess.run(
        [LODGER, command, "--json"],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT), **fleet.environment(app="tests.doctor.app:lodger")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_work_without_a_worker_cannot_hide(fleet: Fleet, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warned of by the thread of the web process, an error for `doctor`, NOBODY for `stats`, until a worker comes.

    Fails without `_orphans` in app.py, without work.orphans in RULES, or when `served_by` does not ask `covers`.
    """
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", "false")
    web = fleet.run([sys.executable, "-m", "tests.doctor.web"], orphan_seconds=1)
    wait_until(lambda: WARNING in web.log, 30, "the warning")
    assert "no worker lives, and none has of late. To do: LODGER_APP=tests.doctor.app:lodger lodger worker;" in web.log
    code, told = look(fleet, "doctor")
    assert (code, told["status"]) == (2, "errors")
    assert told["findings"][0]["rule"] == "no-worker"
    assert told["findings"][0]["evidence"]["waiting"] == 1
    code, told = look(fleet, "stats")
    assert (code, told["queues"][0]["queue"], told["queues"][0]["waiting"]) == (0, "media", 1)
    assert (told["queues"][0]["served_by"], told["queues"][0]["orphans"]) == ([], ["resize"])

    monkeypatch.setenv("LODGER_APP", "tests.doctor.app:lodger")
    worker = fleet.run([LODGER, "worker"])
    wait_until(lambda: CLEARED in web.log, 60, "the warning to be taken back")
    assert web.log.count(WARNING) == 1, "it is said once"
    wait_until(lambda: store.count("status = 'SUCCEEDED'") == 1, 30, "the run")
    code, told = look(fleet, "doctor")
    assert code in {0, 1}, told
    assert not [one for one in told["findings"] if one["severity"] == "error"]
    code, told = look(fleet, "stats")
    assert [one["state"] for one in told["workers"]] == ["ready"]
    assert told["runs"]["completed"] == 1

    for program in (worker, web):
        program.terminate()
        assert program.wait(30) == 0
    assert "Traceback" not in web.log

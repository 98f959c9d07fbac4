"""Mode auto between real processes: the embedded worker and separate ones hand work to each other, and lose none.

With a beat of half a second and lives of three; the promised 25, 95 and 35 seconds belong to the default settings, and
`LODGER_STORM=full` waits for those.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from lodger.store import coverage
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, Worker
from tests.faults.site import is_alive
from tests.faults.visitor import OK, ask
from tests.support.wait import wait_until

FULL: Final = os.environ.get("LODGER_STORM") == "full"
SETTINGS: Final = (
    {"beat_seconds": 10, "dead_after_seconds": 60, "sweep_seconds": 15, "takeover_seconds": 30}
    if FULL
    else {"beat_seconds": 0.5, "dead_after_seconds": 3, "sweep_seconds": 1, "takeover_seconds": 3}
)
STAND_BY_SECONDS: Final = 25 if FULL else 10
AFTER_KILL_SECONDS: Final = 95 if FULL else 15
AFTER_STOP_SECONDS: Final = 35 if FULL else 15
BEATS_TO_SEE: Final = 6

pytestmark = pytest.mark.timeout(600 if FULL else 180)
Web = Callable[[], Worker]


@pytest.fixture
def web(fleet: Fleet, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Starts uvicorn with the embedded worker in mode auto."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", "auto")
    socket = runtime_dir / "web"

    def start() -> Worker:
        command = [sys.executable, "-m", "uvicorn", "tests.faults.web:app", "--uds", str(socket)]
        worker = fleet.run(command, **SETTINGS)
        wait_until(lambda: ask(socket, "/on_loop") == OK, 30, "the web server")
        return worker

    return start


def test_work_is_handed_over_and_back(web: Web, fleet: Fleet, desk: Desk, runtime_dir: Path) -> None:
    """Nothing is interrupted, nothing is lost, and standing by costs no process.

    Red when standing by drains (the patient run starts twice), and when a dead worker's pairs stay yielded. The web
    process does not import the other modules of the app to judge by their jobs: red when it does.
    """
    service = web()
    gate = fleet.directory / "gate"
    patient = desk.one(app.patient.call(str(gate)))
    embedded = desk.wait_start(patient).pid
    assert embedded in service.engines()

    separate = fleet.start(**SETTINGS)
    took = until_served_by(separate, desk, STAND_BY_SECONDS)
    print(f"a separate worker served after {took:.1f} s")
    assert is_alive(embedded)
    assert patient.status() == "RUNNING"
    gate.touch()
    desk.wait_status(patient, "SUCCEEDED", 10)
    assert len(fleet.side.starts(patient.id)) == 1
    wait_until(lambda: not service.engines(), STAND_BY_SECONDS, "the embedded worker to stand by")
    assert ask(runtime_dir / "web", "/bare") == OK

    separate.kill()
    took = until_served_by(service, desk, AFTER_KILL_SECONDS)
    print(f"the embedded worker served {took:.1f} s after the separate one was killed")

    another = fleet.start(**SETTINGS)
    wait_until(lambda: another.engines() and not service.engines(), 3 * STAND_BY_SECONDS, "it to stand by again")
    another.terminate()
    took = until_served_by(service, desk, AFTER_STOP_SECONDS)
    print(f"the embedded worker served {took:.1f} s after the separate one was stopped")
    desk.wait_all(30)
    desk.check()


@pytest.mark.parametrize(
    ("separate_app", "environment"),
    [
        ("tests.faults.partial:lodger", "default"),
        ("tests.faults.app:lodger", "staging"),
        ("tests.faults.broken:x", "default"),
    ],
    ids=["lacks the job", "another environment", "crash-loops"],
)
def test_who_does_not_count(web: Web, fleet: Fleet, desk: Desk, separate_app: str, environment: str) -> None:
    """The embedded worker goes on (a worker of another environment may serve besides). Red when any counts."""
    service = web()
    lodger = Path(sys.executable).with_name("lodger")
    separate = fleet.run([str(lodger), "worker", "--app", separate_app], environment=environment, **SETTINGS)
    beats = Beats(desk, separate)
    wait_until(lambda: beats.count() >= BEATS_TO_SEE, 120, "the separate worker to beat")
    assert service.engines()
    until_served_by(service, desk, 30)


def until_served_by(worker: Worker, desk: Desk, timeout: float) -> float:
    """Enqueue until this worker takes a run; return the seconds it took. What others take is done, too."""
    began = time.monotonic()

    def served() -> bool:
        mark = desk.wait_start(desk.one(app.on_loop.call(1)), timeout)
        return mark.pid in worker.engines()

    wait_until(served, timeout, "it to serve")
    return time.monotonic() - began


class Beats:
    """Counts the beats of one worker that it gets to see."""

    def __init__(self, desk: Desk, worker: Worker) -> None:
        self._desk = desk
        self._worker = worker
        self._seen: set[object] = set()

    def count(self) -> int:
        with self._desk.lodger.database.connect() as conn:
            self._seen |= {one.beat_at for one in coverage.workers(conn) if one.pid == self._worker.pid}
        return len(self._seen)

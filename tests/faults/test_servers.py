"""The embedded worker under real web servers with two web processes each: one of them carries it, whatever happens.

The database is of no importance here: SQLite. `LODGER_STORM=full` makes the run that outlives its web process a minute
long, and gives a sibling five seconds to take over.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from lodger.client.handle import RunHandle
from lodger.placement.mode import PYTEST_VARIABLES
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, send
from tests.faults.site import ASGI, SERVERS, WSGI, Server, Site, is_alive, parent_of
from tests.faults.visitor import OK, ask
from tests.support.wait import wait_until

GRACE_SECONDS: Final = 2
STOP_SLACK: Final = 3
FULL: Final = os.environ.get("LODGER_STORM") == "full"
TAKEOVER_SECONDS: Final = 5 if FULL else 15
"""Five is the promise, for a machine that does nothing else: whoever tests that asks for it."""
QUIET_SECONDS: Final = 1
RUN_SECONDS: Final = 60 if FULL else 0
"""How long the run takes that outlives its web process."""
STREAMS: Final = 2
OPEN_SECONDS: Final = 3
"""What hypercorn gives open responses before its web processes hear of the stop."""

UWSGI: Final = "{bin}/uwsgi --http-socket {socket} --http-keepalive --need-app --home {home} --module " + WSGI

Start = Callable[[Server], Site]
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
each_server = pytest.mark.parametrize("server", SERVERS, ids=str)


@pytest.fixture
def start(fleet: Fleet, desk: Desk, runtime_dir: Path) -> Start:
    return lambda server: Site(fleet, server, runtime_dir / "web", grace_seconds=GRACE_SECONDS)


@each_server
def test_one_carries_and_a_sibling_takes_over(server: Server, start: Start, desk: Desk) -> None:
    """Red without the carrier's lock (two engines), and with a lock that a forked sibling inherits (no takeover)."""
    site = start(server)
    desk.enqueue(*[app.in_thread.call(20) for _ in range(40)])
    desk.wait_all(30)
    engine = site.engine()
    assert {mark.pid for mark in desk.history().marks if mark.word == "start"} == {engine}
    if server.recycles:
        run_outlives_its_web_process(site, desk, engine)
    killed_web_process(server, site, desk)


def run_outlives_its_web_process(site: Site, desk: Desk, engine: int) -> None:
    """The web process is replaced while a job runs; its successor's engine works meanwhile.

    Red when the engine drains at the end of its channel: the run starts twice.
    """
    gate = desk.fleet.directory / "recycled"
    run = desk.one(app.patient.call(str(gate)))
    assert desk.wait_start(run).pid == engine
    started = time.monotonic()
    web = parent_of(engine)
    wait_until(lambda: site.visit() and not is_alive(web), 30, "the web process to be replaced")
    site.engine(other_than=(engine,))
    wait_until(lambda: time.monotonic() - started > RUN_SECONDS, 90, "the run to have been long")
    desk.wait_status(desk.one(app.on_loop.call(1)), "SUCCEEDED", 10)
    assert is_alive(engine)
    assert run.status() == "RUNNING"
    gate.touch()
    desk.wait_status(run, "SUCCEEDED", 10)
    assert len(desk.fleet.side.starts(run.id)) == 1
    wait_until(lambda: not is_alive(engine), 10, "the engine to go when its run has ended")


def killed_web_process(server: Server, site: Site, desk: Desk) -> None:
    """Its engine goes with it; what is enqueued then is started by another in time."""
    engine = site.engine()
    send(parent_of(engine), signal.SIGKILL)
    killed = time.monotonic()
    if not server.outlives:
        wait_until(lambda: not site.process.pids(), GRACE_SECONDS + 10, "all of it to be gone")
        return
    wait_until(lambda: not is_alive(engine), TAKEOVER_SECONDS, "the engine of the killed process to be gone")
    started = desk.wait_start(desk.one(app.on_loop.call(1)), 20)
    took = time.monotonic() - killed
    print(f"a sibling claimed {took:.1f} s after the kill")
    assert took < TAKEOVER_SECONDS
    assert started.pid != engine


@each_server
def test_stop_does_not_wait_for_open_responses(server: Server, start: Start, desk: Desk) -> None:
    """SIGTERM to the server alone; the web processes hold responses that do not end.

    Red when the worker waits for lifespan shutdown: the late run is claimed.
    """
    site = start(server)
    runs = hold(desk)
    own_time = 0 if server.tells else OPEN_SECONDS
    with site.streams(STREAMS):
        site.process.terminate()
        told = time.monotonic()
        wait_until(lambda: time.monotonic() - told > QUIET_SECONDS + own_time, 10, "a second")
        late = desk.one(app.on_loop.call(1))
        for run in runs:
            desk.wait_status(run, "QUEUED", own_time + GRACE_SECONDS + STOP_SLACK)
        wait_until(lambda: not site.process.engines(), GRACE_SECONDS + STOP_SLACK, "the engine to be gone")
        took = time.monotonic() - told - own_time
    print(f"the worker was gone after {took:.1f} s")
    assert took < GRACE_SECONDS + STOP_SLACK
    wait_until(lambda: not site.process.pids(), 20, "the server to end")
    assert late.status() == "QUEUED"
    assert [desk.lodger.get_run(run.id).attempt for run in runs] == [0, 0]


def hold(desk: Desk) -> list[RunHandle[Any]]:
    gate = str(desk.fleet.directory / "gate")
    runs = desk.enqueue(app.patient.call(gate), app.patient_on_loop.call(gate))
    for run in runs:
        desk.wait_start(run)
    return runs


def test_helpers_forked_early_cost_no_worker(start: Start, desk: Desk, runtime_dir: Path) -> None:
    """Both web processes fork a pool and a program in their first half minute, while a job runs.

    Red when a fork makes a young process a master: the job is cut at the grace, and starts again.
    """
    site = start(
        Server(name="forking", command="gunicorn --workers 2 --bind unix:{socket} tests.faults.web_forking:app")
    )
    gate = desk.fleet.directory / "helped"
    run = desk.one(app.patient.call(str(gate)))
    engine = desk.wait_start(run).pid
    (runtime_dir / "help").touch()
    wait_until(lambda: site.process.log.count("has its helpers") == 2, 30, "both to have helpers")
    helped = time.monotonic()
    wait_until(lambda: time.monotonic() - helped > GRACE_SECONDS + QUIET_SECONDS, 10, "the grace to be over")
    gate.touch()
    desk.wait_status(run, "SUCCEEDED", 10)
    assert [mark.pid for mark in desk.fleet.side.starts(run.id)] == [engine]
    assert site.engine() == engine
    assert parent_of(parent_of(engine)) == site.process.pid


def test_a_service_that_imports_what_tests_need_has_its_worker(
    start: Start, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the import of pytest or of a TestClient makes it a test: no worker, and not a word about its runs."""
    for name in PYTEST_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    site = start(Server(name="uvicorn-alone", command="uvicorn --uds {socket} tests.faults.web_importing:app"))
    desk.wait_status(desk.one(app.on_loop.call(1)), "SUCCEEDED", 20)
    assert "taken for a test" not in site.process.log


def test_engine_that_was_left_ends_with_the_service(start: Start, desk: Desk) -> None:
    """Its web process was replaced while its job ran; then all of the service stops, and the job has the grace.

    Red when nobody tells it (the job would go on), and when nobody waits for it.
    """
    site = start(SERVERS[0])
    gate = desk.fleet.directory / "gate"
    run = desk.one(app.patient.call(str(gate)))
    engine = desk.wait_start(run).pid
    web = parent_of(engine)
    wait_until(lambda: site.visit() and not is_alive(web), 30, "the web process to be replaced")
    site.engine(other_than=(engine,))
    site.process.terminate()
    told = time.monotonic()
    desk.wait_status(run, "QUEUED", GRACE_SECONDS + STOP_SLACK)
    wait_until(lambda: not is_alive(site.process.pid), 10, "the server to end")
    assert not is_alive(engine), "in a container it would be killed in its grace"
    wait_until(lambda: not site.process.pids(), 10, "all of it to be gone")
    print(f"all of it was gone after {time.monotonic() - told:.1f} s")
    assert desk.lodger.get_run(run.id).attempt == 0


def test_reload_gives_runs_to_the_new_code(start: Start, fleet: Fleet, desk: Desk) -> None:
    """A changed file replaces the only web process: for the worker that is a stop, with its grace.

    Red when the old engine stays (two of them), or when the attempt is counted.
    """
    code = fleet.directory / "code"
    code.mkdir()
    (code / "changing.py").write_text("")
    site = start(Server(name="uvicorn-reload", command=f"uvicorn --reload --reload-dir {code} --uds {{socket}} {ASGI}"))
    gate = desk.fleet.directory / "reloaded"
    run = desk.one(app.patient.call(str(gate)))
    engine = desk.wait_start(run).pid
    (code / "changing.py").write_text("# changed")
    wait_until(lambda: len(fleet.side.starts(run.id)) == 2, 20, "the new code to have the run")
    assert site.engine() == fleet.side.starts(run.id)[1].pid != engine
    gate.touch()
    desk.wait_status(run, "SUCCEEDED", 10)
    assert desk.lodger.get_run(run.id).attempt == 1
    assert [one.outcome for one in desk.lodger.attempts(run.id)] == ["INTERRUPTED", "SUCCEEDED"]


@pytest.mark.parametrize("mode", ["auto", "false"])
def test_uwsgi_carries_no_worker(mode: str, fleet: Fleet, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so where it starts, and what to do instead. Red without the refusal: its runs would wait for ever."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", mode)
    path = runtime_dir / "web"
    site = fleet.run(UWSGI.format(bin=Path(sys.executable).parent, home=sys.prefix, socket=path).split())
    if mode == "false":
        wait_until(lambda: ask(path, "/on_loop") == OK, 30, "uWSGI to answer")
        return
    wait_until(lambda: not site.pids(), 30, "uWSGI to end")
    assert "EMBEDDED_JOB_WORKER" in site.log
    assert "false under uWSGI; run the worker beside it: lodger worker" in site.log

"""The worker embedded in a real web server: whatever the jobs do, the web goes on, and nothing outlives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import pytest

from lodger.client.handle import RunHandle
from lodger.client.job import Call
from lodger.processes.table import processes
from tests.faults import app, hostile
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, Worker, command_of, send
from tests.faults.visitor import Visitor
from tests.faults.web import MAX_BACKOFF
from tests.support.cgroups import group, may_make
from tests.support.wait import wait_until

SLOWEST_SECONDS: Final = 2.0
GRACE_SECONDS: Final = 1
FULL: Final = os.environ.get("LODGER_STORM") == "full"
KILLING_SECONDS: Final = 300 if FULL else 5
LEAST_KILLS: Final = 100 if FULL else 2
SLACK: Final = 6
"""Seconds that a busy machine may need."""

ON_SQLITE: Final = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What is tested of processes has little to do with the database."""

Web = Callable[..., Worker]


@pytest.fixture
def socket(runtime_dir: Path) -> Path:
    return runtime_dir / "web"


@pytest.fixture
def web(fleet: Fleet, socket: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Starts uvicorn with the worker inside, in this mode."""

    def start(mode: str = "child", *, inside: Path | None = None, **settings: str | float) -> Worker:
        monkeypatch.setenv("EMBEDDED_JOB_WORKER", mode)
        command = [sys.executable, "-m", "uvicorn", "tests.faults.web:app", "--uds", str(socket)]
        if inside is not None:
            command = ["sh", "-c", f'echo $$ > {inside}/cgroup.procs; exec "$@"', "sh", *command]
        return fleet.run(command, grace_seconds=GRACE_SECONDS, **settings)

    return start


def rude() -> list[tuple[Call, str]]:
    """What an engine survives, and what it comes to."""
    return [
        (hostile.hold_the_gil.call(4), "SUCCEEDED"),
        (hostile.eat_memory.call(), "FAILED"),
        (hostile.hard_exit_in_process.call(), "FAILED"),
        (hostile.leave_child_in_engine.call(), "SUCCEEDED"),
        (hostile.fork_runs_on_in_thread.call(100), "SUCCEEDED"),
        (hostile.swallow_on_loop.call(1.0), "SUCCEEDED"),
        (hostile.swallow_in_process.call(), "FAILED"),
        (hostile.call_exit.call(), "FAILED"),
        (hostile.raise_quitter.call(), "FAILED"),
        (hostile.move_house.call(), "SUCCEEDED"),
    ]


KILLERS: Final[tuple[Any, ...]] = (hostile.segfault, hostile.close_everything_in_thread, hostile.stop_the_loop)


def test_web_answers_whatever_jobs_do(web: Web, desk: Desk, socket: Path) -> None:
    """First all at once that an engine survives, then one by one what it dies of."""
    server = web()
    expected: dict[str, str] = {}
    with Visitor(socket) as visitor:
        calls = rude()
        for handle, (_, status) in zip(desk.enqueue(*[call for call, _ in calls]), calls, strict=True):
            expected[handle.id] = status
        desk.wait_all(60)
        for job in KILLERS:
            handle = desk.one(job.using(on_crash="fail").call())
            expected[handle.id] = "FAILED"
            desk.wait_all(60)
            # Not by its number: on a busy machine a worker may have given up one before, and goes on with the next.
            said = f"with run {handle.id} of {job.name}: now FAILED"
            wait_until(lambda said=said: said in server.log, 10, f"the supervisor to say {said}")  # type: ignore[misc]
        desk.one(app.on_loop.call(1))
        desk.wait_all(60)
    visitor.assert_well_served(SLOWEST_SECONDS)
    assert server.process.poll() is None
    desk.check(expected)


@pytest.mark.parametrize("leaves_child", [False, True])
def test_run_is_queued_within_a_second_of_its_engines_death(web: Web, desk: Desk, leaves_child: bool) -> None:
    """Even if a process that a job left behind keeps the engine's files open."""
    gate = desk.fleet.directory / "gate"
    server = web()
    if leaves_child:
        desk.wait_status(desk.one(hostile.leave_child_in_engine.call()), "SUCCEEDED", 30)
    run = desk.one(app.patient.call(str(gate)))
    engine = desk.wait_start(run).pid
    assert engine in server.engines()
    send(engine, signal.SIGKILL)
    killed = time.monotonic()
    desk.wait_status(run, "QUEUED", 5)
    took = time.monotonic() - killed
    print(f"queued again after {took * 1000:.0f} ms")
    assert took < 1
    gate.touch()
    desk.wait_all(30)
    desk.check()


@pytest.mark.timeout(600 if FULL else 180)
def test_web_answers_while_engines_are_killed(
    web: Web, desk: Desk, socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a second, as soon as it runs something: every run is queued again at once, and ends.

    Engines that die again and again are started later and later; not here, or there would be none to kill.
    """
    monkeypatch.setenv(MAX_BACKOFF, "0.1")
    server = web(dead_after_seconds=30)
    slowest, kills = 0.0, 0
    killed = time.monotonic()
    end = killed + KILLING_SECONDS
    with Visitor(socket) as visitor:
        while time.monotonic() < end or kills < LEAST_KILLS:
            desk.enqueue(app.on_loop.call(200), app.in_thread.call(200))
            gate = desk.fleet.directory / f"gate-{kills}"
            run = desk.one(app.patient.call(str(gate)))
            engine = desk.wait_start(run).pid
            wait_until(lambda killed=killed: time.monotonic() > killed + 1, 2, "the next second")  # type: ignore[misc]
            send(engine, signal.SIGKILL)
            killed = time.monotonic()
            wait_until(lambda run=run: run.status() != "RUNNING", 5, "the run to be freed")  # type: ignore[misc]
            slowest = max(slowest, time.monotonic() - killed)
            kills += 1
            gate.touch()
        desk.wait_all(60)
    print(f"{kills} engines killed, runs queued again after {slowest * 1000:.0f} ms at most")
    visitor.assert_well_served(SLOWEST_SECONDS)
    assert slowest < 1
    assert server.process.poll() is None
    desk.check()


@ON_SQLITE
def test_nothing_outlives_a_killed_web_process(web: Web, desk: Desk) -> None:
    """The engine hears of it, gives its runs back and takes everything along that its jobs have started.

    Looked for by the mark in their environment, by process groups, and, where we may make one, in a control group.
    """
    with group("cpu") if may_make("cpu") else nullcontext() as inside:
        server, handles = busy(web, desk, inside=inside)
        groups = {os.getpgid(pid) for pid in server.pids()}
        assert inside is None or members(inside) >= set(server.pids())
        server.kill_supervisor()
        killed = time.monotonic()
        wait_until(lambda: not server.pids(), GRACE_SECONDS + 4 + SLACK, "all processes to be gone")
        print(f"all processes were gone after {time.monotonic() - killed:.1f} s")
        assert [one for one in processes().values() if one.group in groups and command_of(one.pid)] == []
        assert inside is None or members(inside) == set()
    assert_given_back(desk, handles)


@ON_SQLITE
def test_web_process_stops_in_time(web: Web, desk: Desk) -> None:
    server, handles = busy(web, desk)
    assert_stops(server)
    assert_given_back(desk, handles)


@ON_SQLITE
def test_web_process_stops_in_time_over_a_deaf_engine(web: Web, desk: Desk) -> None:
    """The engine hears of nothing, and is killed."""
    server = web()
    deaf = desk.one(hostile.hold_the_gil.call(60))
    desk.wait_start(deaf)
    assert_stops(server)
    assert_given_back(desk, [deaf])


def test_thread_in_the_web_process(web: Web, desk: Desk, socket: Path) -> None:
    server = web("thread")
    with Visitor(socket) as visitor:
        jobs = (app.on_loop, app.in_thread, app.in_process, app.ledger_on_loop, app.ledger_in_thread)
        desk.enqueue(*[job.call(20) for job in jobs for _ in range(10)])
        desk.wait_all(60)
    visitor.assert_well_served(SLOWEST_SECONDS)
    history = desk.check()
    pids = {mark.pid for mark in history.marks if mark.word == "start" and mark.job != "in_process"}
    assert pids == {server.pid}
    assert server.engines() == []
    assert_stops(server)


def members(made: Path) -> set[int]:
    """The living processes of a control group."""
    return {int(pid) for pid in (made / "cgroup.procs").read_text().split() if command_of(int(pid))}


def busy(web: Web, desk: Desk, *, inside: Path | None = None) -> tuple[Worker, list[RunHandle[Any]]]:
    """A web process with runs that don't want to end, in every executor, and with what others left behind."""
    server = web(process_slots=3, inside=inside)
    gate = str(desk.fleet.directory / "gate")
    leavers = desk.enqueue(hostile.leave_grandchild.call(), hostile.leave_child_in_engine.call())
    for handle in leavers:
        desk.wait_status(handle, "SUCCEEDED", 30)
    stubborn = (hostile.deaf_in_thread, hostile.deaf_on_loop, hostile.deaf_in_process)
    patient = (app.patient, app.patient_on_loop, app.patient_in_process)
    handles = desk.enqueue(*[job.call(gate) for job in (*stubborn, *patient)])
    for handle in handles:
        desk.wait_start(handle)
    assert any(command_of(pid).startswith(b"sleep\0") for pid in server.pids())
    return server, handles


def assert_stops(server: Worker) -> None:
    told = time.monotonic()
    server.terminate()
    server.wait(GRACE_SECONDS + 4 + SLACK)
    print(f"stopped after {time.monotonic() - told:.1f} s")
    left = {pid: command_of(pid) for pid in server.pids()}
    assert left == {}


def assert_given_back(desk: Desk, handles: list[RunHandle[Any]]) -> None:
    """They can be claimed at once, and nothing was counted."""
    for handle in handles:
        record = desk.lodger.get_run(handle.id)
        assert (record.status, record.attempt) == ("QUEUED", 0), handle
        assert [told.outcome for told in desk.lodger.attempts(handle.id)] == ["INTERRUPTED"], handle

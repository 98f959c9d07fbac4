"""Jobs that kill, deafen or vandalise what runs them: each is contained, is blamed for it, and is blamed alone."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from lodger import Retry, RunRecord
from lodger.client.handle import RunHandle
from lodger.client.job import Call
from tests.faults import app, hostile
from tests.faults.desk import ENDED, Desk
from tests.faults.fleet import Fleet, Worker, command_of
from tests.support.wait import wait_until

FULL: Final = os.environ.get("LODGER_STORM") == "full"
DEAF_SECONDS: Final = 120 if FULL else 8
"""Longer than twice the silence after which a worker is declared dead."""
SLACK: Final = 6
"""Seconds that a busy machine may need."""
HANGS: Final = 120 if FULL else 30


class Company:
    """Innocent runs in the same engine, going on until they are let go."""

    def __init__(self, desk: Desk, *jobs: Any) -> None:
        self.desk = desk
        self.gate = desk.fleet.directory / "gate"
        self.handles = desk.enqueue(*[job.call(str(self.gate)) for job in jobs])
        for handle in self.handles:
            desk.wait_start(handle)

    def let_go(self) -> None:
        """They may end now."""
        self.gate.touch()

    def assert_untouched(self) -> None:
        """They ran once."""
        for record in self._records():
            assert (record.status, record.attempt, record.fence) == ("SUCCEEDED", 1, 1)

    def assert_not_blamed(self) -> None:
        """They ran again, and it cost them nothing."""
        for record in self._records():
            assert (record.status, record.attempt) == ("SUCCEEDED", 1)
            for told in self.desk.lodger.attempts(record.id):
                assert told.error is None or "crash " not in told.error.message

    def _records(self) -> list[RunRecord]:
        return [self.desk.lodger.get_run(handle.id) for handle in self.handles]


KILLERS: Final = {
    hostile.segfault: ("signal SIGSEGV", 3),
    hostile.abort: ("signal SIGABRT", 1),
    hostile.be_killed: ("signal SIGKILL", 1),
    hostile.hard_exit: ("exit code 7", 3),
    hostile.hard_exit_on_loop: ("exit code 7", 1),
    hostile.close_everything_in_thread: ("signal SIGKILL", 1),
    hostile.stop_the_loop: ("exit code 4", 1),
    hostile.exit_in_subtask: ("exit code 4", 1),
}
"""How they die, and of how many attempts."""


@pytest.mark.parametrize("job", KILLERS, ids=lambda job: job.name)
def test_engine_dies_in_company(fleet: Fleet, desk: Desk, job: Any) -> None:
    """Nobody knows who it was, so all run alone; the guilty one dies there as often as it may, and fails.

    Shown to fail: suspects go on in the engine (it dies for ever); crashes in company count (the innocent are blamed).
    """
    death, crashes = KILLERS[job]
    fleet.start()
    company = Company(desk, app.patient, app.patient_on_loop)
    guilty = desk.one(job.using(retry=Retry(max_attempts=crashes, first_seconds=0.1)).call())
    wait_until(lambda: re.search(r"engine \d+ ended", fleet.workers[0].log), 30, "the engine to die")
    company.let_go()
    desk.wait_all(60)
    assert re.search(rf"died: {death}.* \(crash {crashes} of 3\)$", error_of(desk, guilty)), error_of(desk, guilty)
    assert [told.outcome for told in desk.lodger.attempts(guilty.id)] == ["CRASHED"] * (1 + crashes)
    assert desk.lodger.get_run(guilty.id).attempt == crashes
    company.assert_not_blamed()
    desk.check({guilty.id: "FAILED"})


def test_engine_dies_of_its_only_run(fleet: Fleet, desk: Desk) -> None:
    """Then it is known who it was, from the first time on; who must not be begun twice fails at once."""
    fleet.start()
    waits = desk.one(app.in_process.using(delay=2).call(1))
    once = desk.one(hostile.segfault.using(on_crash="fail").call())
    desk.wait_status(once, "FAILED", 30)
    thrice = desk.one(hostile.hard_exit.call())
    desk.wait_all(60)
    assert error_of(desk, once) == "its process died: signal SIGSEGV (crash 1 of 3)"
    assert [told.outcome for told in desk.lodger.attempts(thrice.id)] == ["CRASHED"] * 3
    assert "exit code 7" in error_of(desk, thrice)
    assert desk.lodger.get_run(waits.id).attempt == 1
    desk.check(desk.expect("FAILED", [once, thrice]))


def answers() -> dict[str, tuple[Call, str, str]]:
    """What an engine survives: the call, the status it comes to, what its error says."""
    return {
        "hard_exit_in_process": (hostile.hard_exit_in_process.call(), "FAILED", r"exit code 7.*crash 3 of 3"),
        "segfault in process": (
            hostile.segfault.using(executor="process", on_crash="fail").call(),
            "FAILED",
            r"signal SIGSEGV.*crash 1 of 3",
        ),
        "eat_memory": (hostile.eat_memory.call(), "FAILED", r"killed at \d+ MB, over its memory ceiling of 160 MB"),
        "close_everything": (hostile.close_everything.call(), "FAILED", r"its process died: signal SIGKILL"),
        "leave_child_and_die": (hostile.leave_child_and_die.call(), "FAILED", r"its process died: exit code 9"),
        "fork_runs_on": (hostile.fork_runs_on.call(500), "SUCCEEDED", ""),
        "fork_runs_on_in_thread": (hostile.fork_runs_on_in_thread.call(500), "SUCCEEDED", ""),
        "terminate_child": (hostile.terminate_child.call(), "SUCCEEDED", ""),
        "terminate_child in process": (hostile.terminate_child.using(executor="process").call(), "SUCCEEDED", ""),
        "leave_grandchild": (hostile.leave_grandchild.call(), "SUCCEEDED", ""),
        "leave_child_in_engine": (hostile.leave_child_in_engine.call(), "SUCCEEDED", ""),
        "hang_on_grandchild": (hostile.hang_on_grandchild.call(), "FAILED", r"stopped after its timeout of 1 s"),
        "swallow_in_process": (hostile.swallow_in_process.call(), "FAILED", r"stopped after its timeout of 0.5 s"),
        "swallow_in_thread": (hostile.swallow_in_thread.call(1.5), "SUCCEEDED", ""),
        "swallow_on_loop": (hostile.swallow_on_loop.call(1.5), "SUCCEEDED", ""),
        "swallow_once_in_thread": (hostile.swallow_once_in_thread.call(), "FAILED", r"stopped after its timeout"),
        "swallow_once_on_loop": (hostile.swallow_once_on_loop.call(), "FAILED", r"stopped after its timeout"),
        "block_the_loop": (hostile.block_the_loop.call(1.5), "SUCCEEDED", ""),
        "cancel_saves": (hostile.cancel_saves.call(), "SUCCEEDED", ""),
        "cancel_saves in process": (hostile.cancel_saves.using(executor="process").call(), "SUCCEEDED", ""),
        "call_exit": (hostile.call_exit.call(), "FAILED", r"^enough$"),
        "call_exit_on_loop": (hostile.call_exit_on_loop.call(), "FAILED", r"^enough$"),
        "call_exit_in_process": (hostile.call_exit_in_process.call(), "FAILED", r"^enough$"),
        "interrupt_on_loop": (hostile.interrupt_on_loop.call(), "FAILED", r"^$"),
        "raise_unspeakable": (hostile.raise_unspeakable.call(), "FAILED", r"its text could not be read"),
        "raise_quitter": (hostile.raise_quitter.call(), "FAILED", r"its text could not be read"),
        "raise_novel": (hostile.raise_novel.call(), "FAILED", r"end of the world"),
        "return_nonsense": (hostile.return_nonsense.call(), "SUCCEEDED", ""),
        "return_too_much": (hostile.return_too_much.call(), "SUCCEEDED", ""),
        "move_house": (hostile.move_house.call(), "SUCCEEDED", ""),
    }


def test_engine_survives(fleet: Fleet, desk: Desk) -> None:
    """All of this at once, in one engine: it is neither killed nor hindered, and its stop leaves nothing behind."""
    worker = fleet.start(process_slots=3)
    company = Company(desk, app.patient, app.patient_on_loop, app.patient_in_process)
    (engine,) = worker.engines()
    expected = answers()
    handles = dict(zip(expected, desk.enqueue(*[call for call, _, _ in expected.values()]), strict=True))
    for name, handle in handles.items():
        wait_until(lambda handle=handle: handle.status() in ENDED, 90, f"{name} to end")  # type: ignore[misc]
    assert engine in worker.engines(), worker.log
    got = {name: (handle.status(), error_of(desk, handle)) for name, handle in handles.items()}
    wrong = {
        name: got[name]
        for name, (_, status, pattern) in expected.items()
        if got[name][0] != status or not re.search(pattern, got[name][1])
    }
    assert wrong == {}
    assert handles["terminate_child"].result(0) == handles["terminate_child in process"].result(0) == -15
    assert handles["fork_runs_on"].result(0) == "from the parent"
    assert handles["fork_runs_on_in_thread"].result(0) == "from the parent"
    company.let_go()
    desk.wait_all(30)
    company.assert_untouched()
    desk.check({handles[name].id: status for name, (_, status, _) in expected.items()})
    worker.terminate()
    assert worker.wait(15) == 0
    assert_nothing_left(worker)


def test_memory_is_counted_for_each_run(fleet: Fleet, desk: Desk) -> None:
    """One that takes little is not killed for what was taken before it in the same process.

    Shown to fail: the peak of the process goes on counting; no look at what is there before the run starts.
    """
    fleet.start(process_slots=1)
    handles = [desk.one(call) for call in (hostile.peak.call(False), hostile.frugal.call())]
    desk.wait_all(30)
    assert handles[0].result(0) == handles[1].result(0), "not in one process"
    handles += [desk.one(call) for call in (hostile.peak.call(True), hostile.frugal.call())]
    desk.wait_all(30)
    assert handles[2].result(0) != handles[3].result(0), "no memory was left"
    desk.check(desk.expect("SUCCEEDED", handles))


def test_stored_options_that_do_not_fit(fleet: Fleet, desk: Desk) -> None:
    """They are ignored, or fail their own run alone: others and the engine take no notice.

    Shown to fail: without `_fitting` (an async job "succeeds" without having run, in an engine without a loop all end);
    with the fields of `retry` taken as they come; without `joined`.
    """
    company = [app.on_loop.call(1), app.in_thread.call(1), app.in_process.call(1)]
    told = {
        name: desk.lodger.by_name(name, executor=executor, retry=Retry(max_attempts=1)).enqueue(ms=1)
        for name, executor in (("on_loop", "thread"), ("in_thread", "asyncio"), ("in_process", "asyncio"))
    }
    newer, odd = desk.enqueue(app.in_thread.call(1), app.in_thread.call(1))
    with desk.engine.begin() as connection:
        for handle, options in ((newer, {"retry": {"max_attempts": 1, "spread": "even"}}), (odd, {"timeout": "long"})):
            change = text("UPDATE lodger_run SET options = :options WHERE id = :id")
            key = handle.id if desk.engine.dialect.name == "postgresql" else UUID(handle.id).bytes
            assert connection.execute(change, {"options": json.dumps(options), "id": key}).rowcount == 1
    desk.fleet.side.acknowledge(handle.id for handle in told.values())
    worker = fleet.start()
    handles = [*told.values(), newer, *desk.enqueue(*company)]
    for handle in handles:
        desk.wait_status(handle, "SUCCEEDED", 30)
    started = {mark.run_id for mark in fleet.side.read() if mark.word == "start"}
    assert {handle.id for handle in handles} <= started
    wait_until(lambda: desk.lodger.attempts(odd.id), 10, "the run of odd options to be put off")
    assert [one.outcome for one in desk.lodger.attempts(odd.id)] == ["MISMATCHED"]
    assert (odd.status(), desk.lodger.get_run(odd.id).attempt) == ("SCHEDULED", 0)
    assert "ended after" not in worker.log, worker.log
    assert worker.log.count("job on_loop: executor: 'thread' is not allowed") == 1, worker.log


def test_cancelled_by_force_a_job_is_stopped(fleet: Fleet, desk: Desk) -> None:
    """Its slot is free for others. Red when an engine does not look if its runs are still its own."""
    fleet.start(concurrency=1)
    gate = str(desk.fleet.directory / "gate")
    for job in (app.patient, app.patient_on_loop, app.patient_in_process):
        run = desk.one(job.call(gate))
        desk.wait_start(run)
        run.cancel(force=True)
        desk.wait_status(desk.one(app.on_loop.call(1)), "SUCCEEDED", 20)
        assert run.status() == "CANCELLED"


def test_gil_is_held(fleet: Fleet, desk: Desk) -> None:
    """The engine is deaf, its supervisor is not: it beats, nobody takes the runs, and they end after that.

    Shown to fail: beats sent by the engine instead.
    """
    worker, other = fleet.start(), fleet.start(queues="other")
    desk.wait_status(desk.one(app.on_loop.using(queue="other").call(1)), "SUCCEEDED", 30)
    company = Company(desk, app.patient, app.patient_on_loop, app.patient_in_process)
    deaf = desk.one(hostile.hold_the_gil.call(DEAF_SECONDS))
    desk.wait_start(deaf)
    company.let_go()
    waiting = desk.one(app.on_loop.using(queue="other").call(1))
    desk.wait_status(waiting, "SUCCEEDED", 30)
    before = beats(desk)
    wait_until(lambda: beats(desk)[worker.pid] > before[worker.pid], 10, "a beat")
    assert deaf.status() == "RUNNING"
    assert {handle.status() for handle in company.handles[:2]} == {"RUNNING"}
    desk.wait_all(DEAF_SECONDS + 30)
    assert desk.lodger.get_run(deaf.id).fence == 1
    company.assert_untouched()
    desk.check()
    assert "fell silent" not in worker.log + other.log


def test_deaf_jobs_are_stopped(fleet: Fleet, desk: Desk) -> None:
    """They don't return after the stop: the worker ends in time all the same, and the next one takes their runs."""
    gate = fleet.directory / "gate"
    jobs = (hostile.deaf_in_thread, hostile.deaf_on_loop, hostile.deaf_in_process)
    handles = desk.enqueue(*[job.call(str(gate)) for job in jobs])
    worker = fleet.start(grace_seconds=1)
    for handle in handles:
        desk.wait_start(handle)
    assert_stops(worker)
    assert_given_back(desk, handles)
    gate.touch()
    fleet.start()
    desk.wait_all(30)
    desk.check()


def test_gil_holder_is_stopped(fleet: Fleet, desk: Desk) -> None:
    """The engine does not even hear of the stop.

    Shown to fail: no kill after the grace.
    """
    holder, neighbour = desk.enqueue(hostile.hold_the_gil.call(HANGS), app.on_loop.call(60_000))
    worker = fleet.start(grace_seconds=1)
    desk.wait_start(holder)
    assert_stops(worker)
    assert_given_back(desk, [holder, neighbour])


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_gil_holder_is_stopped_within_a_transaction(fleet: Fleet, desk: Desk) -> None:
    """The supervisor waits for a lock that the engine holds for ever.

    Shown to fail: the kill is left to the supervisor's own thread.
    """
    lock = f"{desk.engine.url.database}-lodger-lock"
    holder = desk.one(hostile.hold_the_gil_and_a_lock.call(HANGS, lock))
    worker = fleet.start(grace_seconds=1)
    desk.wait_start(holder)
    assert_stops(worker)
    assert_given_back(desk, [holder])


def assert_stops(worker: Worker) -> None:
    """It ends in time: the grace, four seconds in which the engine may end, and one to free and to leave."""
    worker.terminate()
    assert worker.wait(1 + 4 + SLACK) == 0, worker.log
    assert_nothing_left(worker)


def assert_given_back(desk: Desk, handles: list[RunHandle[Any]]) -> None:
    """They can be claimed, and nothing was counted."""
    for handle in handles:
        record = desk.lodger.get_run(handle.id)
        assert (record.status, record.attempt) == ("QUEUED", 0)


def error_of(desk: Desk, handle: RunHandle[Any]) -> str:
    """What the run's error says."""
    error = desk.lodger.get_run(handle.id).error
    return error.message if error else ""


def beats(desk: Desk) -> dict[int, Any]:
    """The last beat of each worker, by the supervisor's process."""
    with desk.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text("SELECT pid, beat_at FROM lodger_worker"))}


def assert_nothing_left(worker: Worker) -> None:
    """None of its processes, nor of what its jobs have started, outlives it."""
    left = {pid: command_of(pid) for pid in worker.pids()}
    assert left == {}

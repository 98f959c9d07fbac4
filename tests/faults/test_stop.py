"""A worker is told to stop in the middle of its runs: what can end in time ends, all else is given back unharmed.

Shown to fail: with the end of the grace leaving threads alone (the stop takes too long), with the attempt of an
interrupted run not refunded, with `stopping` not told (to all; to the processes), with claims going on while it drains,
with the second SIGTERM left to its default action.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any, Final

import pytest

from lodger.client.handle import RunHandle
from tests.faults import app, obedient
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, Worker, send
from tests.faults.history import Told
from tests.support.wait import wait_until

GRACE: Final = 1.5
AFTER_GRACE: Final = 3
"""The whole stop takes no longer than the grace and this."""
PATIENT: Final[tuple[Any, ...]] = (app.patient_on_loop, app.patient, app.patient_in_process)
OBEDIENT: Final[tuple[Any, ...]] = (
    obedient.obedient_on_loop,
    obedient.obedient_in_thread,
    obedient.obedient_in_process,
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runs_are_given_back(fleet: Fleet, desk: Desk, number: signal.Signals) -> None:
    path, worker, handles = begin(desk)
    herald = desk.one(obedient.obedient_on_loop.call())
    desk.wait_start(herald)
    stopped_at = time.time()
    send(worker.pid, number)
    assert wait_heard(desk, herald) < stopped_at + 1
    newcomer = desk.one(app.on_loop.call(1))

    assert worker.wait(20) == 0, worker.log
    assert time.time() < stopped_at + GRACE + AFTER_GRACE
    assert_given_back(desk, handles, stopped_at)
    assert newcomer.status() == "QUEUED"
    assert desk.lodger.get_run(newcomer.id).fence == 0  # never claimed
    assert herald.result(0) == obedient.SAID

    path.touch()
    resume(desk, handles)


def test_second_signal_changes_nothing(fleet: Fleet, desk: Desk) -> None:
    """It neither ends the worker before its runs are given back, nor does it prolong the grace."""
    path, worker, handles = begin(desk)
    herald = desk.one(obedient.obedient_on_loop.call())
    desk.wait_start(herald)
    stopped_at = time.time()
    worker.terminate()
    wait_heard(desk, herald)
    for number in (signal.SIGTERM, signal.SIGINT):
        send(worker.pid, number)
    assert worker.wait(20) == 0, worker.log
    assert time.time() < stopped_at + GRACE + AFTER_GRACE
    assert_given_back(desk, handles, stopped_at)
    path.touch()
    resume(desk, handles)


def test_every_process_is_signalled(fleet: Fleet, desk: Desk) -> None:
    """As systemd and Heroku do it at each stop: no run is spent, and what hears of it ends in time.

    Shown to fail: with SIGTERM left to its default action in the processes of the process executor.
    """
    path, worker, handles = begin(desk, process_slots=2)
    obedient_ones = desk.enqueue(*[job.call() for job in OBEDIENT])
    for handle in obedient_ones:
        desk.wait_start(handle)
    stopped_at = time.time()
    for pid in worker.pids():
        send(pid, signal.SIGTERM)
    assert worker.wait(20) == 0, worker.log
    assert_given_back(desk, handles, stopped_at)
    assert [handle.result(0) for handle in obedient_ones] == [obedient.SAID] * 3
    path.touch()
    resume(desk, handles)


def test_runs_that_hear_of_it_end_in_time(fleet: Fleet, desk: Desk) -> None:
    """They are SUCCEEDED, and the worker does not wait for the rest of its grace."""
    worker = fleet.start(grace_seconds=20, process_slots=1)
    handles = desk.enqueue(*[job.call() for job in OBEDIENT])
    for handle in handles:
        desk.wait_start(handle)
    stopped_at = time.time()
    worker.terminate()
    assert worker.wait(15) == 0, worker.log
    assert time.time() < stopped_at + AFTER_GRACE
    assert [handle.result(0) for handle in handles] == [obedient.SAID] * 3
    assert {(row.fence, row.attempt) for row in desk.check().rows.values()} == {(1, 1)}


def test_interrupted_gives_back_early(fleet: Fleet, desk: Desk) -> None:
    """A run that saves and raises Interrupted is QUEUED again, its attempt not counted, and goes on from there."""
    worker = fleet.start(grace_seconds=20)
    handle = desk.one(obedient.interrupted_in_thread.call())
    desk.wait_start(handle)
    stopped_at = time.time()
    worker.terminate()
    assert worker.wait(15) == 0, worker.log
    assert time.time() < stopped_at + AFTER_GRACE
    record = desk.lodger.get_run(handle.id)
    assert (record.status, record.attempt, record.checkpoint) == ("QUEUED", 0, "half")
    fleet.start()
    desk.wait_all(30)
    assert handle.result(0) == obedient.SAID
    assert desk.check().rows[handle.id].attempt == 1


def begin(desk: Desk, process_slots: int = 1) -> tuple[Path, Worker, list[RunHandle[Any]]]:
    """A worker with one long run in each executor, which ignores that it should stop."""
    path = desk.fleet.directory / "gate"
    worker = desk.fleet.start(grace_seconds=GRACE, process_slots=process_slots)
    handles = desk.enqueue(*[job.call(str(path)) for job in PATIENT])
    for handle in handles:
        wait_until(lambda handle=handle: desk.lodger.get_run(handle.id).checkpoint, 30, f"the checkpoint of {handle!r}")  # type: ignore[misc]
    return path, worker, handles


def wait_heard(desk: Desk, herald: RunHandle[Any]) -> float:
    """Wait until a job has heard that its worker is stopping; return when it did."""

    def heard() -> list[float]:
        return [mark.at for mark in desk.fleet.side.read() if (mark.word, mark.run_id) == ("stopping", herald.id)]

    return wait_until(heard, 20, "a job to hear that its worker is stopping")[0]


def assert_given_back(desk: Desk, handles: list[RunHandle[Any]], stopped_at: float) -> None:
    """Right after the worker has ended, and nobody else was there to do it."""
    told: dict[str, Told] = {one.run_id: one for one in desk.history().told}
    for handle in handles:
        record = desk.lodger.get_run(handle.id)
        assert (record.status, record.attempt, record.fence) == ("QUEUED", 0, 2), handle
        assert (record.interruptions, record.error) == (1, None), handle
        assert record.checkpoint == {"fence": 1, "before": None}, handle
        assert told[handle.id].outcome == "INTERRUPTED", handle
        assert told[handle.id].ended_at > stopped_at + GRACE - 0.1, handle


def resume(desk: Desk, handles: list[RunHandle[Any]]) -> None:
    """The next worker brings them to their end, from where they were."""
    desk.fleet.start()
    desk.wait_all(30)
    for handle in handles:
        record = desk.lodger.get_run(handle.id)
        assert (record.result, record.attempt, record.fence) == ("seen", 1, 3), handle
        assert record.checkpoint == {"fence": 3, "before": {"fence": 1, "before": None}}, handle
    desk.check()

"""A worker stands still past its lease, its runs are taken over, then it goes on: nothing of it counts any more.

First only its engine wakes up, so that its jobs come to their ends before the supervisor can stop them; then all of it.

Shown to fail on each engine: with the fence taken out of `succeed`, `finish`, `complete_run`, `set_checkpoint` or
`set_progress` (one at a time: the jobs that write that way are the ones named), with the claim not asking whether its
worker lives, with `_give_up` leaving the engines alone.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any

from sqlalchemy import text

from lodger.client.handle import RunHandle
from tests.faults import app, late
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, Worker, send
from tests.support.wait import wait_until

REFUSALS = ("fence 1 is no longer valid", "lease lost, nothing is written")
STARTS_ANEW = "its jobs are stopped, it starts anew"


def test_late_writes_change_nothing(fleet: Fleet, desk: Desk) -> None:
    path = fleet.directory / "gate"
    zombie = fleet.start(process_slots=3, cancel_seconds=60)  # nor does it look if the runs are still its own
    handles = desk.enqueue(*[job.call(str(path)) for job in late.JOBS])
    wait_starts(desk, handles, fence=1)
    fleet.freeze(zombie)
    fleet.start("--queues", "default", process_slots=3)
    wait_starts(desk, handles, fence=3)
    other = desk.one(app.noop.using(queue="other").call())

    late.gate(path, 1).touch()
    wake(zombie.engines() + zombie.children())
    for handle in handles:
        wait_for_verdict(zombie, handle)
    assert [handle.job for handle in handles if handle.status() != "RUNNING"] == []
    for handle in handles:
        record = desk.lodger.get_run(handle.id)
        assert (record.fence, record.result, record.error) == (3, None, None), handle
        assert (record.checkpoint, record.progress) == (None, None), handle
        assert [one.outcome for one in desk.lodger.attempts(handle.id)] == ["LOST"], handle
        assert refusals(zombie, handle), zombie.log
    with desk.engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM ledger")).scalar_one() == 0
    assert other.status() == "QUEUED"  # nor can it claim

    late.gate(path, 3).touch()
    zombie.resume()
    desk.wait_all(30)
    assert STARTS_ANEW in zombie.log  # nobody else serves the queue of `other`
    assert {handle.job: handle.result(0) for handle in handles} == {
        job.name: None if job is late.late_with_nothing else 3 for job in late.JOBS
    }
    desk.check()


def test_whole_worker_wakes_up(fleet: Fleet, desk: Desk) -> None:
    """It stops its jobs, and works on under another identity."""
    path = fleet.directory / "gate"
    zombie = fleet.start()
    handles = desk.enqueue(*[job.call(str(path)) for job in (app.patient, app.patient_on_loop, app.patient_in_process)])
    wait_starts(desk, handles, fence=1)
    old = zombie.engines() + zombie.children()
    fleet.freeze(zombie)
    heir = fleet.start()
    wait_starts(desk, handles, fence=3)

    zombie.resume()
    wait_until(lambda: STARTS_ANEW in zombie.log, 20, "the worker to see that it was declared dead")
    wait_until(lambda: not {*old} & {*zombie.pids()}, 20, "its old engine to be gone")
    assert {handle.status() for handle in handles} == {"RUNNING"}
    path.touch()
    desk.wait_all(30)
    heir.terminate()
    assert heir.wait(20) == 0
    desk.one(app.on_loop.call(1))
    desk.wait_all(30)
    history = desk.check()
    assert history.started_twice() == len(handles)


def wait_starts(desk: Desk, handles: Iterable[RunHandle[Any]], fence: int) -> None:
    for handle in handles:
        desk.wait_start(handle, fence=fence)


def wake(pids: Iterable[int]) -> None:
    for pid in pids:
        send(pid, signal.SIGCONT)


def refusals(worker: Worker, handle: RunHandle[Any]) -> list[str]:
    """What the worker has said of a run that it no longer owns."""
    about = [line for line in worker.log.splitlines() if f"run {handle.id} of" in line]
    return [line for line in about if any(words in line for words in REFUSALS)]


def wait_for_verdict(zombie: Worker, handle: RunHandle[Any]) -> None:
    """Wait until the zombie's answer was refused, or (which must not be) taken."""
    wait_until(
        lambda: refusals(zombie, handle) or handle.status() != "RUNNING", 20, f"the zombie's answer for {handle!r}"
    )

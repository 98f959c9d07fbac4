"""The database goes away under load and comes back: the workers go on by themselves, and nothing is lost.

PostgreSQL and MariaDB are killed and started again. SQLite has no server: its file is locked by somebody else for
longer than its writers wait.

Shown to fail: with outcomes or saves not kept when their transaction failed, with claims in doubt not given back (as
often as a commit's answer is lost), with a worker that gave up starting engines before it has a new row.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

from lodger.client.handle import RunHandle
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import QUICK, Fleet, Worker, send
from tests.faults.power import FilePower, Power, powered
from tests.support.wait import wait_until

PURE: Final[tuple[Any, ...]] = (app.on_loop, app.in_thread, app.in_process)
"""They do not touch the database, so nothing of it may be a reason to run them again."""
APPS_OWN: Final[tuple[Any, ...]] = (app.ledger_on_loop, app.ledger_in_thread, app.ledger_in_process)
"""They meet the outage themselves, fail, and are tried again."""
LONG: Final[tuple[Any, ...]] = (app.patient, app.patient_on_loop, app.patient_in_process, app.saving)
LEASE_SECONDS: Final = float(QUICK["LODGER_DEAD_AFTER_SECONDS"])
GIVES_UP: Final = "no beat was confirmed in time"


@pytest.fixture
def power(engine: str, tmp_path: Path, runtime_dir: Path) -> Iterator[Power]:
    with powered(engine, tmp_path) as made:
        yield made


@pytest.fixture
def desk(power: Power, tmp_path: Path) -> Iterator[Desk]:
    with Fleet(power.url, tmp_path) as fleet, Desk(fleet) as opened:
        yield opened


def test_outage_shorter_than_the_lease(power: Power, desk: Desk) -> None:
    """What runs goes on; what ends meanwhile is recorded afterwards; nothing is started twice for it."""
    workers = [desk.fleet.start(dead_after_seconds=120) for _ in range(2)]
    gate = desk.fleet.directory / "gate"
    long = desk.enqueue(*[job.call(str(gate)) for job in LONG])
    pure: list[RunHandle[Any]] = []
    for handle in long:
        desk.wait_start(handle)
    engines = [worker.engines() for worker in workers]
    for _ in range(2):
        pure += desk.enqueue(*[job.call(50) for _ in range(60) for job in PURE])
        desk.enqueue(*[job.call(20) for _ in range(15) for job in APPS_OWN], *[app.probe.call() for _ in range(15)])
        wait_ends(desk, 20)
        said = how_often(workers, power.words)
        power.off()
        wait_until(lambda said=said: how_often(workers, power.words) > said, 60, "a worker to meet the outage")  # type: ignore[misc]
        power.on()
        desk.engine.dispose()
    gate.touch()
    desk.wait_all(90)

    assert [worker.engines() for worker in workers] == engines
    history = desk.check()
    assert {row.status for row in history.rows.values()} == {"SUCCEEDED"}
    starts = history.starts()
    assert {len(starts[handle.id]) for handle in [*pure, *long]} == {1}
    saving = desk.lodger.get_run(long[-1].id)
    assert saving.checkpoint == {"saved": saving.result}


def test_outage_longer_than_the_lease(power: Power, desk: Desk) -> None:
    """The workers give up what they have, once, and begin anew when the database is back."""
    workers = [desk.fleet.start() for _ in range(2)]
    gate = desk.fleet.directory / "gate"
    long = desk.enqueue(*[job.call(str(gate)) for job in LONG])
    desk.enqueue(*[job.call(50) for _ in range(20) for job in PURE])
    for handle in long:
        desk.wait_start(handle)
    power.off()
    wait_lease_over(power, desk, workers)
    again = time.monotonic() + LEASE_SECONDS
    wait_until(lambda: time.monotonic() > again, 60, "as much time again to pass")
    gate.touch()
    power.on()
    desk.engine.dispose()
    desk.wait_all(90)

    assert [worker.process.poll() for worker in workers] == [None, None]
    history = desk.check()
    assert {row.status for row in history.rows.values()} == {"SUCCEEDED"}
    assert {one.outcome for one in history.told} <= {"LOST", "SUCCEEDED"}
    assert max(worker.log.count(GIVES_UP) for worker in workers) <= 1
    late = desk.enqueue(*[job.call(1) for job in PURE])
    desk.wait_all(30)
    assert [handle.status() for handle in late] == ["SUCCEEDED"] * len(PURE)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
def test_lease_runs_out_over_an_engine_that_died_meanwhile(power: Power, desk: Desk) -> None:
    """What the dead one ran can't be freed without the database; the other one is given up in time all the same.

    Shown to fail: with the dead buried before the fence, in one step with it. SQLite's writers wait instead of failing.
    """
    worker = desk.fleet.start("--processes", "2")
    wait_until(lambda: len(worker.engines()) == 2, 30, "two engines")
    victim, other = worker.engines()
    run = desk.one(app.noop.call())
    desk.wait_status(run, "SUCCEEDED", 30)
    power.off()
    send(victim, signal.SIGKILL)
    wait_until(lambda: GIVES_UP in worker.log and other not in worker.engines(), 30, "the worker to give up")
    power.on()
    desk.engine.dispose()
    late = desk.one(app.noop.call())
    desk.wait_status(late, "SUCCEEDED", 30)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"], indirect=True)
def test_lease_runs_out_while_a_worker_ends(power: Power, desk: Desk) -> None:
    """Its grace would last for a minute, but others may take the run by then.

    Shown to fail: without the fence in the winding down. SQLite's writers wait instead of failing.
    """
    worker = desk.fleet.start(grace_seconds=60)
    gate = desk.fleet.directory / "gate"
    run = desk.one(app.patient.call(str(gate)))
    desk.wait_start(run)
    worker.terminate()
    power.off()
    assert worker.wait(30) == 0, worker.log
    assert GIVES_UP in worker.log
    assert not worker.pids()
    power.on()
    desk.engine.dispose()
    gate.touch()
    desk.fleet.start()
    desk.wait_status(run, "SUCCEEDED", 30)
    assert [one.outcome for one in desk.lodger.attempts(run.id)] == ["LOST", "SUCCEEDED"]
    desk.check()


def wait_lease_over(power: Power, desk: Desk, workers: list[Worker]) -> None:
    """Wait until all workers have given up, by their own clocks.

    On SQLite they cannot know yet: they wait for the lock. Nobody could take their runs from them meanwhile, either.
    """
    if isinstance(power, FilePower):
        wait_until(lambda: time.time() - last_beat(desk) > 2 * LEASE_SECONDS, 60, "the lease to run out")
        return
    for worker in workers:
        wait_until(lambda worker=worker: GIVES_UP in worker.log and not worker.engines(), 60, "a worker to give up")  # type: ignore[misc]


def last_beat(desk: Desk) -> float:
    with desk.engine.connect() as connection:
        return float(connection.execute(text("SELECT MAX(beat_at) FROM lodger_worker")).scalar_one()) / 1e6


def wait_ends(desk: Desk, count: int) -> None:
    """Wait until so many runs more have done their work: the workers are busy."""
    side = desk.fleet.side
    before = sum(mark.word == "end" for mark in side.read())
    wait_until(lambda: sum(mark.word == "end" for mark in side.read()) >= before + count, 60, f"{count} runs to end")


def how_often(workers: list[Worker], words: str) -> int:
    return sum(worker.log.count(words) for worker in workers)

"""Death at every named place, on every engine: nothing is lost, nothing is stuck, everything ends.

Each test starts a worker armed with one failpoint, gives it what leads there, sees it die of that failpoint and of
nothing else, and expects a healthy worker to bring all runs to their end without a contradiction.

Shown to fail: with each `failpoint(...)` taken out of the code (the armed worker lives on), with `free_silent`
returning before it frees, with `free_engine` freeing nothing, with the attempt column left out of `free_run`, with the
commit of an enqueue split in two (one run of a pair is there), with the version of a migration written first.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lodger.client.handle import RunHandle
from lodger.client.job import Call
from lodger.failpoints import FAILPOINTS
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet, Worker, send
from tests.faults.history import History
from tests.support.databases import ENGINES, Databases
from tests.support.wait import wait_until

QUICK: Final = {"beat_seconds": 0.25, "dead_after_seconds": 1, "sweep_seconds": 0.3}
HELD_BACK: Final = {**QUICK, "concurrency": 1, "prune_seconds": 86400}
"""The healthy worker: one job keeps it from taking what is meant for another."""
LODGER: Final = str(Path(sys.executable).with_name("lodger"))


def quick_jobs() -> list[Call]:
    return [job.call(20) for job in (app.on_loop, app.in_thread) for _ in range(3)]


def saving_jobs() -> list[Call]:
    return [job.call(__file__) for job in (app.patient_on_loop, app.patient) for _ in range(2)]


def ledger_jobs() -> list[Call]:
    return [job.call(5) for job in (app.ledger_on_loop, app.ledger_in_thread) for _ in range(3)]


IN_ENGINE: Final[dict[str, Callable[[], list[Call]]]] = {
    "claim.before_commit": quick_jobs,
    "claim.after_commit": quick_jobs,
    "attempt.before_start": quick_jobs,
    "record.before_commit": quick_jobs,
    "record.after_commit": quick_jobs,
    "save.before_commit": saving_jobs,
    "complete.before_update": ledger_jobs,
    "complete.before_commit": ledger_jobs,
    "complete.after_commit": ledger_jobs,
    "prune.before_commit": list,
}
"""What leads an engine to each failpoint."""
PROMOTING: Final = ("promote.before_commit", "promote.after_commit")
RESCUING: Final = ("rescue.before_commit", "rescue.after_commit")
ENQUEUING: Final = {"enqueue.before_commit": 4, "enqueue.after_commit": 6}
"""How many runs are there when the third pair is the last."""
OTHERS: Final = ("release.before_commit", "migrate.before_version")


def test_every_failpoint_is_visited() -> None:
    """Those of the schedule daemon have their tests with it."""
    visited = {*IN_ENGINE, *PROMOTING, *RESCUING, *ENQUEUING, *OTHERS}
    assert visited == {name for name in FAILPOINTS if not name.startswith("fire.")}


@dataclass
class Ward:
    """A database with one healthy worker, for many patients one after the other."""

    desk: Desk
    stays: int = 0

    def occupy(self) -> Path:
        """Keep the healthy worker busy until the file that is returned is made."""
        self.stays += 1
        gate = self.desk.fleet.directory / f"gate-{self.stays}"
        self.desk.wait_start(self.desk.one(app.patient.call(str(gate))))
        return gate


@pytest.fixture(scope="module", params=ENGINES)
def ward(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    directory = tmp_path_factory.mktemp("ward")
    url = databases.lease(request.param, directory)
    with Fleet(url, directory) as fleet, Desk(fleet) as desk:
        fleet.start(**HELD_BACK)
        yield Ward(desk)
    databases.give_back(request.param, url)


@pytest.mark.parametrize("name", IN_ENGINE)
def test_engine_dies(ward: Ward, name: str) -> None:
    gate = ward.occupy()
    armed = arm(ward.desk.fleet, name, concurrency=2, prune_seconds=0.2)
    ward.desk.enqueue(*IN_ENGINE[name]())
    wait_until(lambda: "engine 1 ended" in armed.log, 30, f"an engine to die at {name}")
    assert_died_of(name, armed.log)
    armed.kill()
    gate.touch()
    heal(ward.desk)


@pytest.mark.parametrize("name", PROMOTING)
def test_promoter_dies(fleet: Fleet, desk: Desk, name: str) -> None:
    armed = arm(fleet, name)
    desk.enqueue(*[app.on_loop.using(delay=0.05).call(1) for _ in range(10)])
    wait_until(lambda: "engine 1 ended" in armed.log, 30, f"an engine to die at {name}")
    assert_died_of(name, armed.log)
    armed.kill()
    fleet.start(**QUICK)
    heal(desk)


def test_rescuers_die(fleet: Fleet, desk: Desk) -> None:
    """A worker falls silent; the one that finds it dies before it has freed its runs, the next one just after that."""
    gate = fleet.directory / "gate"
    victim = fleet.start(**QUICK)
    handles = hold(desk, gate)
    victim.kill()
    for name in RESCUING:
        assert_supervisor_dies(arm(fleet, name, queues="none-of-these"), name)
        assert {handle.status() for handle in handles} == {"RUNNING" if "before" in name else "QUEUED"}
    gate.touch()
    fleet.start(**QUICK)
    assert_lost(heal(desk))


def test_supervisor_dies_over_its_engine(fleet: Fleet, desk: Desk) -> None:
    """The engine dies, then the supervisor before it has said so: the runs are LOST, found by another worker."""
    gate = fleet.directory / "gate"
    armed = arm(fleet, "rescue.before_commit")
    hold(desk, gate)
    send(armed.engines()[0], signal.SIGKILL)
    assert_supervisor_dies(armed, "rescue.before_commit")
    gate.touch()
    fleet.start(**QUICK)
    assert_lost(heal(desk))


def test_worker_dies_giving_back(fleet: Fleet, desk: Desk) -> None:
    """Told to stop, the engine dies as it gives its runs back; so does the supervisor, which does it in its place."""
    gate = fleet.directory / "gate"
    armed = arm(fleet, "release.before_commit", grace_seconds=0.2)
    hold(desk, gate)
    armed.terminate()
    assert_supervisor_dies(armed, "release.before_commit", times=2)
    gate.touch()
    fleet.start(**QUICK)
    assert_lost(heal(desk))


@pytest.mark.parametrize("name", ENQUEUING)
def test_enqueuer_dies(fleet: Fleet, desk: Desk, name: str) -> None:
    """At its third pair: before the commit there is nothing of it, afterwards both, though nobody was told."""
    enqueuer = fleet.run([sys.executable, "-m", "tests.faults.producer", "5"], failpoints=f"{name}=kill@3")
    assert_supervisor_dies(enqueuer, name)
    assert desk.counts() == {"QUEUED": ENQUEUING[name]}
    fleet.start(**QUICK)
    heal(desk)


def test_migrator_dies(database_url: str, tmp_path: Path) -> None:
    """Before the version is written: the next migrator finishes it."""
    with Fleet(database_url, tmp_path) as fleet:
        migrator = fleet.run([LODGER, "migrate"], failpoints="migrate.before_version=kill")
        assert_supervisor_dies(migrator, "migrate.before_version")
        again = fleet.run([LODGER, "migrate"])
        assert again.wait(30) == 0, again.log
        with Desk(fleet) as desk:
            desk.enqueue(app.on_loop.call(1))
            fleet.start(**QUICK)
            heal(desk)


def arm(fleet: Fleet, name: str, **settings: str | float) -> Worker:
    """Start a worker that dies at the failpoint `name`."""
    return fleet.start(**{**QUICK, "failpoints": f"{name}=kill", **settings})


def hold(desk: Desk, gate: Path) -> list[RunHandle[Any]]:
    """Give the only worker runs that go on until `gate` is there; return them when all have started."""
    handles = desk.enqueue(*[job.call(str(gate)) for job in (app.patient, app.patient_on_loop, app.patient_on_loop)])
    for handle in handles:
        desk.wait_start(handle)
    return handles


def assert_died_of(name: str, log: str, times: int = 1) -> None:
    assert log.count(f"failpoint {name}: kill\n") == times, log
    assert log.count("failpoint ") == times, log


def assert_supervisor_dies(worker: Worker, name: str, times: int = 1) -> None:
    """The program itself (not one of its engines) dies of the failpoint; what it leaves behind is killed too."""
    assert worker.wait(30) == -signal.SIGKILL, worker.log
    assert_died_of(name, worker.log, times)
    worker.kill()


def assert_lost(history: History) -> None:
    """Nobody saw the first owner die."""
    assert {one.outcome for one in history.told if one.fence == 1} == {"LOST"}


def heal(desk: Desk) -> History:
    """Everything ends, and nothing contradicts itself; return the history."""
    desk.wait_all(30)
    return desk.check()

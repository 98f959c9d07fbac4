"""A daemon that dies in the middle of a fire: another one fires the instant, or finds that it was fired. Once.

Shown to fail: with `fires.fire` in a transaction that commits after `_take` (the instant is lost at
`fire.before_commit`); with each `failpoint(...)` taken out of `scheduler/firing.py` (the armed daemon lives on).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lodger.model.schedule import fire_id
from lodger.store import schedulers
from tests.faults.fleet import Fleet, Worker
from tests.support.schedules import PERIOD, Schedules, spec
from tests.support.store import Store
from tests.support.wait import wait_until

LODGER = str(Path(sys.executable).with_name("lodger"))


@pytest.fixture
def fleet(database_url: str, tmp_path: Path, store: Store) -> Iterator[Fleet]:
    with Fleet(database_url, tmp_path) as made:
        yield made


def scheduler(fleet: Fleet, **settings: str) -> Worker:
    return fleet.run([LODGER, "scheduler"], schedule_seconds=0.1, **settings)


def count_live(schedules: Schedules) -> int:
    with schedules.database.connect() as conn:
        return sum(row.is_live for row in schedulers.listing(conn))


@pytest.mark.parametrize(("name", "runs"), [("fire.before_commit", 0), ("fire.after_commit", 1)])
def test_a_daemon_dies(schedules: Schedules, store: Store, fleet: Fleet, name: str, runs: int) -> None:
    schedules.put(spec())
    instant = schedules.back()
    armed = scheduler(fleet, failpoints=f"{name}=kill")
    assert armed.wait(30) == -signal.SIGKILL
    assert len(store.ids()) == len(schedules.fires()) == schedules.get().fired == runs
    assert schedules.get().next_at == instant + runs * PERIOD
    healthy = scheduler(fleet)
    wait_until(lambda: schedules.get().next_at == instant + PERIOD, 30, "the instant to be behind it")
    schedules.put(spec("later"))
    schedules.back("later")
    wait_until(lambda: schedules.get("later").fired, 30, "another schedule: the first one has been looked at again")
    assert [run for run in store.ids() if run == fire_id("s", instant)] == [fire_id("s", instant)]
    assert schedules.fires() == [(instant, "FIRED")]
    assert len(store.ids()) == 2
    healthy.terminate()
    assert healthy.wait(30) == 0


@pytest.mark.parametrize("name", ["fire.before_commit", "fire.after_commit"])
def test_a_daemon_stands_still_and_another_one_fires(
    schedules: Schedules, store: Store, fleet: Fleet, name: str
) -> None:
    """Stopped, not dead: what it goes on with later comes too late. While it holds the row's lock, others wait."""
    schedules.put(spec())
    instant = schedules.back()
    stopped = scheduler(fleet, failpoints=f"{name}=stop")
    wait_until(lambda: f"failpoint {name}" in stopped.log, 30, "the stop")
    healthy = scheduler(fleet)
    if name == "fire.after_commit":
        wait_until(lambda: schedules.get().next_at == instant + PERIOD, 30, "the instant to be behind it")
    stopped.resume()
    wait_until(lambda: schedules.get().next_at == instant + PERIOD, 30, "the fire")
    wait_until(lambda: count_live(schedules) == 2, 30, "both daemons")
    for daemon in (stopped, healthy):
        daemon.terminate()
        assert daemon.wait(30) == 0
    assert store.ids() == [fire_id("s", instant)]
    assert schedules.get().fired == 1

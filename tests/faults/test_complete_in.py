"""`complete_in`: the app's write and the run's success are one commit, wherever the process dies around it.

`LODGER_STORM=full` makes it 2,000 runs and 36 deaths on each engine. Prints one line of figures.

Shown to fail on each engine: with the app's transaction committed before the run is marked, with `after_commit` passed
before the commit, and, for the lost reply, with `record` telling an attempt that disagrees with the run. With
`complete_run` not asking for the fence it is test_zombie that fails.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from itertools import product
from typing import Any, Final

import pytest
from sqlalchemy import text

from tests.faults import app
from tests.faults.desk import ENDED, Desk
from tests.faults.fleet import Fleet, Worker
from tests.support.wait import wait_until

FULL: Final = os.environ.get("LODGER_STORM") == "full"
RUNS: Final = 2000 if FULL else 240
ROUNDS: Final = 6 if FULL else 1
STUCK_SECONDS: Final = 60
JOBS: Final[tuple[Any, ...]] = (app.ledger_on_loop, app.ledger_in_thread, app.ledger_in_process)
PLACES: Final = ("complete.before_update", "complete.before_commit", "complete.after_commit")
FATES: Final = tuple(product(PLACES, ("kill", "stop")))
"""The engine kills itself at this place, or stands still there until the whole worker is killed from outside."""


@pytest.mark.timeout(1200 if FULL else 240)
def test_one_ledger_row_for_each_run(engine: str, desk: Desk, record_property: Callable[[str, object], None]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    chance = random.Random(seed)
    began = time.monotonic()
    desk.enqueue(*[chance.choice(JOBS).call(chance.randint(1, 30)) for _ in range(RUNS)])
    deaths = Deaths(desk, chance)
    wait_until(deaths.turn, 25 * len(deaths.plan), "all deaths")
    for _ in range(2):
        desk.fleet.start()
    finish(desk)
    history = desk.check()
    figures = (
        f"complete_in on {engine}: {RUNS} runs, {deaths.count} deaths around the commit, {history.started_twice()} "
        f"runs started twice, {len(history.ledger)} ledger rows; {time.monotonic() - began:.0f} s, seed {seed}"
    )
    record_property("figures", figures)
    print(figures)
    assert desk.counts() == {"SUCCEEDED": RUNS}
    assert ledger(desk) == (RUNS, RUNS)
    before_the_commit = sum(not place.endswith("after_commit") for place, _ in deaths.plan)
    assert history.started_twice() >= before_the_commit, figures  # what had written its row had to start again


@pytest.mark.parametrize("place", PLACES)
def test_error_around_the_commit(fleet: Fleet, desk: Desk, place: str) -> None:
    """Before the commit, all of it is done again. After it (its reply was lost, say) the run has succeeded."""
    for number, job in enumerate(JOBS):
        fleet.start("--queues", f"q{number}", failpoints=f"{place}=raise", concurrency=1)
        desk.one(job.using(queue=f"q{number}").call(1))
    desk.wait_all(60)
    history = desk.check()
    assert ledger(desk) == (len(JOBS), len(JOBS))
    assert len(desk.fleet.side.read()) == len(JOBS) * (3 if place.endswith("after_commit") else 5)
    failed = [one.outcome for one in history.told if one.outcome != "SUCCEEDED"]
    assert failed == ([] if place.endswith("after_commit") else ["FAILED"] * len(JOBS))


class Deaths:
    """Two workers at a time, each with the fate to die around the n-th commit; the next one takes its place."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self.desk = desk
        self.plan = chance.sample(FATES * ROUNDS, len(FATES) * ROUNDS)
        self.count = 0
        self._chance = chance
        self._left = list(self.plan)
        self._doomed: list[tuple[Worker, str]] = []

    def turn(self) -> bool:
        """Kill what met its fate, start what comes next; return whether all is over."""
        for worker, sign in list(self._doomed):
            if sign in worker.log:
                worker.kill()
                self._doomed.remove((worker, sign))
                self.count += worker.log.count("failpoint ")  # processes of the process executor have died, too
        while self._left and len(self._doomed) < 2:
            self._doomed.append(self._start(*self._left.pop()))
        return not self._doomed

    def _start(self, place: str, action: str) -> tuple[Worker, str]:
        # Not the first two, or a run that is done again alone in a new process would die there each time.
        passage = self._chance.randint(3, max(3, RUNS // (len(self.plan) + 4)))
        worker = self.desk.fleet.start(failpoints=f"{place}={action}@{passage}", concurrency=6)
        return worker, "engine 1 ended" if action == "kill" else f"failpoint {place}: stop"


def finish(desk: Desk) -> None:
    """Wait until all runs have ended; fail when nothing ends any more."""
    while left := waiting(desk):
        wait_until(lambda left=left: waiting(desk) < left, STUCK_SECONDS, f"one of {left} runs to end")  # type: ignore[misc]


def waiting(desk: Desk) -> int:
    return sum(count for status, count in desk.counts().items() if status not in ENDED)


def ledger(desk: Desk) -> tuple[int, int]:
    """How many rows there are, and of how many runs."""
    with desk.engine.connect() as connection:
        rows, runs = connection.execute(text("SELECT COUNT(*), COUNT(DISTINCT run_id) FROM ledger")).one()
    return rows, runs

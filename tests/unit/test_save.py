"""SyncRun.save: waits for its commit as long as it takes, and not for a lease that is gone."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from lodger import LeaseLost, Lodger, SyncRun
from lodger.model.ids import new_id
from lodger.model.run import ClaimedRun
from lodger.worker.attempt.context import LOOK_SECONDS
from lodger.worker.attempt.live import LiveRun

lodger = Lodger()


@lodger.job()
def work() -> None:
    """Do nothing."""


class LateDesk:
    """Takes a checkpoint, and does with it what the test says."""

    def __init__(self, after_seconds: float, act: Any) -> None:
        self.pending: Future[None] = Future()
        self.timer = threading.Timer(after_seconds, act, [self.pending])

    def save(self, live: LiveRun, text: str) -> Future[None]:
        self.timer.start()
        return self.pending


def run_with(desk: LateDesk) -> tuple[SyncRun[Any], LiveRun]:
    values: dict[str, Any] = dict.fromkeys(ClaimedRun._fields, 0)
    values |= {"id": new_id(), "job": "work", "fence": 1, "options": None, "meta": None, "checkpoint": None}
    live = LiveRun(ClaimedRun(**values), lodger.registry.jobs["work"])
    return SyncRun(live, desk, None), live  # type: ignore[arg-type]


def test_it_waits_for_a_database_that_is_away() -> None:
    """Red with an end to its patience shorter than the wait: the job would fail for a fault that is not its own."""
    run, _ = run_with(LateDesk(LOOK_SECONDS * 1.5, lambda pending: pending.set_result(None)))
    run.save({"page": 1})


def test_a_lost_lease_ends_the_wait() -> None:
    """Red without the look at the lease between two waits."""
    run, live = run_with(LateDesk(LOOK_SECONDS * 0.2, lambda _: setattr(live, "lost", True)))
    with pytest.raises(LeaseLost):
        run.save({"page": 1})

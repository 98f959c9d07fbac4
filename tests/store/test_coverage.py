"""Coverage: which workers are seen, which work waits, and that looking costs nothing of what has ended."""

from __future__ import annotations

from typing import Any

import pytest

from lodger.model.coverage import EngineState, SeenWorker, Waiting
from lodger.store import coverage, queues, workers
from lodger.store.sql import Statement
from tests.support.plans import plan_of, reads_the_whole_table
from tests.support.store import Store, new_run
from tests.support.wait import wait_until

ENDED = 3000
ARGS = '"' + "x" * 1500 + '"'
"""As long as arguments may be: reading a run costs more than reading its entry in an index."""


def seen(store: Store) -> dict[str, SeenWorker]:
    with store.database.connect() as conn:
        return {worker.id: worker for worker in coverage.workers(conn)}


def waiting(store: Store) -> dict[tuple[str, str], Waiting]:
    with store.database.connect() as conn:
        return {one.pair: one for one in coverage.waiting(conn)}


def heads(store: Store, sample: int = 1000) -> list[Waiting]:
    with store.database.connect() as conn:
        return coverage.waiting_heads(conn, sample)


def beat(store: Store, worker: str, *, claimed: bool = False, stopping: bool = False, **engine: Any) -> None:
    """A beat with one engine that knows the job ``j``."""
    state = {"number": 1, "pid": 7, "state": "running", "active": 0, "error": None, **engine}

    def work(conn: Any) -> bool:
        return workers.beat(conn, worker, jobs=("j",), engines=[state], claimed=claimed, stopping=stopping)

    assert store.database.transact(work)


def test_a_worker_is_seen_with_what_its_beat_told(store: Store) -> None:
    worker = store.worker(queues=("a", "b"), environment="blue", placement="separate")
    beat(store, worker, claimed=True, full=True, deaths=2, yields=[["*", "x"], ["q", "y"]])
    one = seen(store)[worker]
    assert (one.queues, one.jobs, one.environment, one.placement) == (("a", "b"), {"j"}, "blue", "separate")
    assert one.engines == (EngineState(number=1, full=True, deaths=2, yields=frozenset({("*", "x"), ("q", "y")})),)
    assert one.is_live
    assert one.stopping_seconds is None
    assert one.claim_seconds is not None
    assert 0 <= one.claim_seconds <= one.beat_seconds + 1 <= one.age_seconds + 2 < 60


def test_what_an_engine_of_another_release_does_not_tell_is_usual(store: Store) -> None:
    """The engines column is JSON of a release that may be older or newer. Fails when a key is required."""
    worker = store.worker()
    told = [{"state": "running", "unheard_of": 1}]
    store.database.transact(lambda c: workers.beat(c, worker, jobs=(), engines=told, claimed=False, stopping=False))
    assert seen(store)[worker].engines == (EngineState(),)


def test_ages_are_those_of_the_databases_clock(store: Store) -> None:
    worker = store.worker(dead_after_seconds=60)
    store.silence(worker, 50)
    one = seen(store)[worker]
    assert one.is_live
    assert 50 <= one.beat_seconds < 60


def test_a_silent_worker_is_seen_and_not_live(store: Store) -> None:
    """Whether anybody has buried it or not. Fails when is_live looks at dead_at alone."""
    worker = store.worker(dead_after_seconds=60)
    store.silence(worker, 61)
    assert not seen(store)[worker].is_live
    store.free_silent(worker)
    buried = seen(store)[worker]
    assert not buried.is_live
    assert (buried.stopping_seconds, buried.dead_seconds) == (None, pytest.approx(0, abs=5))


def test_a_worker_that_left_in_order_is_told_from_one_that_vanished(store: Store) -> None:
    """It may have left before its next beat. Fails without stopping_at in bury_worker."""
    worker = store.worker()
    store.database.transact(lambda conn: workers.leave(conn, worker))
    gone = seen(store)[worker]
    assert not gone.is_live
    assert gone.stopping_seconds is not None


def test_a_draining_worker_is_live_and_stopping(store: Store) -> None:
    worker = store.worker()
    beat(store, worker, stopping=True)
    one = seen(store)[worker]
    assert one.is_live
    assert one.stopping_seconds is not None


def test_a_worker_dead_for_long_is_forgotten(store: Store) -> None:
    worker = store.worker()
    store.database.transact(lambda conn: workers.leave(conn, worker))
    assert store.change(lambda t: f"UPDATE {t.worker} SET dead_at = {t.after(':us')}", us=-601_000_000) == 1
    assert seen(store) == {}


def test_waiting_work_is_told_by_queue_and_job_with_its_age(store: Store) -> None:
    old, *_ = runs = [new_run(), new_run(), new_run(job="k"), new_run(queue="other")]
    store.insert(*runs)
    store.set_time(old.id, -100, "run_at")
    found = waiting(store)
    assert {pair: one.count for pair, one in found.items()} == {
        ("default", "j"): 2, ("default", "k"): 1, ("other", "j"): 1,
    }  # fmt: skip
    assert found["default", "j"].oldest_seconds == pytest.approx(100, abs=10)
    assert found["other", "j"].oldest_seconds < 10
    assert next(iter(found)) == ("default", "j"), "the oldest first"


def test_only_what_could_run_now_waits(store: Store) -> None:
    """Not what runs, has ended or is not due. Fails without the conditions on ready_queue and scheduled_at."""
    worker = store.worker()
    store.running(worker)
    store.insert(new_run(delay_seconds=60))
    store.set_run(store.enqueue(), status="SUCCEEDED", ready_queue=None)
    assert waiting(store) == {}
    assert heads(store) == []


def test_overdue_scheduled_work_waits_too(store: Store) -> None:
    """Nobody promotes it when no worker lives. Fails without the second half of waiting_pairs."""
    run_id = store.enqueue(job="later", delay_seconds=3600)
    store.set_time(run_id, -30, "scheduled_at")
    found = waiting(store)["default", "later"]
    assert found.count == 1
    assert found.oldest_seconds == pytest.approx(30, abs=10)
    assert [one.pair for one in heads(store)] == [("default", "later")]


def test_work_of_a_paused_queue_is_told_as_paused(store: Store) -> None:
    """It waits because somebody wants it. The heads leave it out: nobody should claim it."""
    store.insert(new_run(queue="a"), new_run(queue="b"))
    store.database.transact(lambda conn: queues.pause(conn, "a"))
    assert {pair: one.paused for pair, one in waiting(store).items()} == {("a", "j"): True, ("b", "j"): False}
    assert [one.pair for one in heads(store)] == [("b", "j")]


def test_the_heads_read_no_more_than_the_sample_of_each_queue(store: Store) -> None:
    """In the order of the claim. Fails without LIMIT in waiting_head."""
    store.insert(*(new_run(queue=queue, claim_rank=rank) for queue in "ab" for rank in range(5)))
    store.insert(new_run(queue="a", job="urgent", claim_rank=-1))
    assert {(one.pair, one.count) for one in heads(store, 3)} == {
        (("a", "urgent"), 1), (("a", "j"), 2), (("b", "j"), 3),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "params"),
    [
        (coverage.waiting_pairs, {}),
        (coverage.waiting_head, {"queue": "default", "sample": 1000}),
        (coverage.overdue_heads, {"sample": 1000}),
    ],
    ids=lambda one: one.build.__name__ if isinstance(one, Statement) else "",
)
def test_waiting_work_is_found_without_reading_what_has_ended(
    store: Store, statement: Statement, params: dict[str, Any]
) -> None:
    """By the index of its state alone. Fails when the condition names `status` or `queue` instead of the column."""
    store.insert(*(new_run(args=ARGS) for _ in range(ENDED)))
    store.change(lambda t: f"UPDATE {t.run} SET status = 'SUCCEEDED', ready_queue = NULL")
    store.insert(*(new_run() for _ in range(20)), *(new_run(delay_seconds=60) for _ in range(20)))

    def by_index() -> bool:
        plan = plan_of(store.database, statement, **params)
        used = "lodger_run_ready" in plan or "lodger_run_scheduled" in plan
        return used and not reads_the_whole_table(store.database, plan)

    # InnoDB counts the entries that the update has left behind until it has purged them.
    wait_until(by_index, 20, "a plan by index")

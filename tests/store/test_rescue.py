"""Rescue: what becomes of the runs of engines and workers that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from lodger.model.outcome import MAX_CRASHES, MAX_INTERRUPTIONS, MAX_LOST
from lodger.store import rescue, runs, workers
from tests.support.store import Store, race


def attempt(store: Store, run_id: str) -> tuple[str, int, int]:
    """Outcome, fence and attempt of the last attempt told."""
    last = store.attempts(run_id)[-1]
    return last.outcome, last.fence, last.attempt


def test_a_run_alone_in_a_crashed_engine_is_blamed_and_run_again(store: Store) -> None:
    """The evidence points at it: an attempt is spent, and it runs alone from now on."""
    worker = store.worker()
    run = store.running(worker, max_attempts=5)
    assert store.free_engine(worker) == [rescue.Freed(run.id, "j", "QUEUED")]
    after = store.get(run.id)
    assert (after.status, after.fence, after.attempt, after.crashes) == ("QUEUED", 2, 1, 1)
    assert store.row(run.id)["suspect"] == 1
    assert attempt(store, run.id) == ("CRASHED", 1, 1)
    error = store.attempts(run.id)[0].error
    assert error is not None
    assert "SIGSEGV" in error.message
    assert "crash 1 of 3" in error.message
    assert store.claim_one(worker).suspect == 1


def test_of_several_in_a_crashed_engine_none_is_blamed_and_all_run_alone_next(store: Store) -> None:
    """Nobody knows which one it was. Fails without the refund: innocent neighbours would fail in time."""
    worker = store.worker()
    leases = [store.running(worker, max_attempts=1) for _ in range(3)]
    freed = store.free_engine(worker)
    assert sorted(one.id for one in freed) == sorted(run.id for run in leases)
    for run in leases:
        after = store.get(run.id)
        assert (after.status, after.fence, after.attempt, after.crashes) == ("QUEUED", 2, 0, 0)
        assert store.row(run.id)["suspect"] == 1


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool, str]] = {
    "alone, attempts left": ({"max_attempts": 2}, {}, True, "QUEUED"),
    "alone, attempts spent": ({"max_attempts": 1}, {}, True, "FAILED"),
    "alone, no limit known": ({}, {}, True, "QUEUED"),
    "alone, must not run twice": ({"on_crash": "fail", "max_attempts": 5}, {}, True, "FAILED"),
    "alone, may run twice": ({"on_crash": "retry", "max_attempts": 5}, {}, True, "QUEUED"),
    "alone, second crash": ({"max_attempts": 9}, {"crashes": MAX_CRASHES - 2}, True, "QUEUED"),
    "alone, last crash": ({"max_attempts": 9}, {"crashes": MAX_CRASHES - 1}, True, "FAILED"),
    "alone, cancel asked for": ({"max_attempts": 9}, {"cancel_requested": 1}, True, "CANCELLED"),
    "with others, attempts spent": ({"max_attempts": 1}, {}, False, "QUEUED"),
    "with others, last crash but one": ({"max_attempts": 9}, {"crashes": MAX_CRASHES - 1}, False, "QUEUED"),
    "with others, must not run twice": ({"on_crash": "fail"}, {}, False, "FAILED"),
    "with others, cancel asked for": ({}, {"cancel_requested": 1}, False, "CANCELLED"),
}


@pytest.mark.parametrize(("fields", "columns", "alone", "status"), CASES.values(), ids=CASES.keys())
def test_a_crash_comes_to(
    store: Store, fields: dict[str, Any], columns: dict[str, Any], alone: bool, status: str
) -> None:
    """The whole table of free_engine."""
    worker = store.worker()
    run = store.running(worker, **fields)
    if columns:
        store.set_run(run.id, **columns)
    if not alone:
        store.running(worker)
    freed = {one.id: one.status for one in store.free_engine(worker)}
    after, row = store.get(run.id), store.row(run.id)
    assert freed[run.id] == after.status == status
    assert after.fence == 2
    assert after.attempt == (0 if status == "QUEUED" and not alone else 1)
    assert after.crashes == columns.get("crashes", 0) + alone
    assert after.cancel_requested is False
    assert (after.completed_at is not None) is (status != "QUEUED")
    assert (after.error is not None) is (status != "QUEUED")
    assert (row["owner"], row["ready_queue"]) == (None, "default" if status == "QUEUED" else None)


def test_a_crash_leaves_the_other_engines_of_the_worker_alone(store: Store) -> None:
    """One process died. Fails without `engine` in runs_of_engine."""
    worker, other = store.worker(), store.worker()
    mine, neighbour = store.running(worker, engine=1), store.running(worker, engine=2)
    foreign = store.running(other, engine=1)
    store.free_engine(worker, 1)
    assert [store.status(run.id) for run in (mine, neighbour, foreign)] == ["QUEUED", "RUNNING", "RUNNING"]


def test_an_engine_is_freed_once(store: Store) -> None:
    """Its supervisor may see the death twice."""
    worker = store.worker()
    run = store.running(worker)
    assert len(store.free_engine(worker)) == 1
    assert store.free_engine(worker) == []
    assert store.get(run.id).fence == 2


def test_what_a_stopped_engine_still_held_goes_back_with_its_attempt(store: Store) -> None:
    """Interrupted, not crashed; a cancel that was asked for is carried out."""
    worker = store.worker()
    run, cancelled = store.running(worker), store.running(worker)
    store.do(lambda d: runs.cancel(d, cancelled.id))
    store.database.transact(lambda conn: rescue.free_stopped(conn, worker, 1))
    after = store.get(run.id)
    assert (after.status, after.attempt, after.fence, after.interruptions) == ("QUEUED", 0, 2, 1)
    assert store.status(cancelled.id) == "CANCELLED"
    assert attempt(store, run.id) == ("INTERRUPTED", 1, 1)


def test_what_was_interrupted_too_often_fails(store: Store) -> None:
    """By whoever gives it back, an engine or its supervisor. Fails without MAX_INTERRUPTIONS in `free_stopped`."""
    worker = store.worker()
    last, cap, cancelled = (store.running(worker) for _ in range(3))
    store.set_run(last.id, interruptions=MAX_INTERRUPTIONS - 2)
    store.set_run(cap.id, interruptions=MAX_INTERRUPTIONS - 1)
    store.set_run(cancelled.id, interruptions=MAX_INTERRUPTIONS - 1, cancel_requested=1)
    store.database.transact(lambda conn: rescue.free_stopped(conn, worker, 1))
    runs_now = [store.get(run.id) for run in (last, cap, cancelled)]
    assert [run.status for run in runs_now] == ["QUEUED", "FAILED", "CANCELLED"]
    assert [run.attempt for run in runs_now] == [0, 1, 1]
    assert [run.interruptions for run in runs_now] == [MAX_INTERRUPTIONS - 1, MAX_INTERRUPTIONS, MAX_INTERRUPTIONS]
    error = runs_now[1].error
    assert error is not None
    assert (error.type, f"of {MAX_INTERRUPTIONS}" in error.message) == ("Interrupted", True)


def test_engines_that_nobody_saw_die_lose_their_runs_to_the_living(store: Store) -> None:
    """Without evidence nobody is blamed. Fails when all engines of the worker count, and without MAX_LOST."""
    worker, other = store.worker(), store.worker()
    gone, cap, kept = (store.running(worker, engine=engine, on_crash="fail") for engine in (1, 2, 3))
    foreign = store.running(other, engine=1)
    store.set_run(cap.id, lost=MAX_LOST - 1)
    freed = store.database.transact(lambda conn: rescue.free_vanished(conn, worker, {3}))
    assert sorted((one.id, one.status) for one in freed) == [(gone.id, "QUEUED"), (cap.id, "FAILED")]
    assert [store.status(run.id) for run in (kept, foreign)] == ["RUNNING", "RUNNING"]
    after = store.get(gone.id)
    assert (after.attempt, after.fence, after.lost, after.crashes) == (0, 2, 1, 0)
    assert attempt(store, gone.id) == ("LOST", 1, 1)


def test_a_silent_worker_is_buried_and_its_runs_are_lost_and_refunded(store: Store) -> None:
    """Without evidence nobody is blamed."""
    worker = store.worker()
    run = store.running(worker, max_attempts=1, on_crash="fail")
    store.silence(worker)
    assert store.database.transact(rescue.silent) == [worker]
    assert store.free_silent(worker) == [rescue.Freed(run.id, "j", "QUEUED")]
    after = store.get(run.id)
    assert (after.status, after.attempt, after.fence, after.lost, after.crashes) == ("QUEUED", 0, 2, 1, 0)
    assert store.row(run.id)["suspect"] == 0
    assert attempt(store, run.id) == ("LOST", 1, 1)
    assert store.database.transact(rescue.silent) == []


def test_a_worker_that_beat_after_it_was_found_silent_is_left_alone(store: Store) -> None:
    """Fails without the time in bury_silent: a living worker would lose its runs."""
    worker = store.worker()
    run = store.running(worker)
    store.silence(worker)
    assert store.database.transact(rescue.silent) == [worker]
    beat = lambda conn: workers.beat(conn, worker, jobs=(), engines=[], claimed=False, stopping=False)  # noqa: E731
    assert store.database.transact(beat)
    assert store.free_silent(worker) is None
    assert store.status(run.id) == "RUNNING"


def test_a_worker_is_silent_by_its_own_measure(store: Store) -> None:
    """Thread placement waits longer."""
    patient, quick = store.worker(dead_after_seconds=120), store.worker(dead_after_seconds=60)
    for worker in (patient, quick):
        store.silence(worker, 90)
    assert store.database.transact(rescue.silent) == [quick]
    assert store.free_silent(patient) is None


def test_eight_rescuers_of_one_worker_free_its_runs_once(store: Store) -> None:
    """Whoever buries it frees its runs, in the same transaction. Fails without `dead_at IS NULL` in bury_silent."""
    worker = store.worker()
    leases = [store.running(worker) for _ in range(10)]
    store.silence(worker)
    answers = race(8, lambda _: store.free_silent(worker))
    assert sorted(len(answer) for answer in answers if answer is not None) == [10]
    assert [store.get(run.id).fence for run in leases] == [2] * 10
    assert [store.get(run.id).lost for run in leases] == [1] * 10


def test_a_run_that_takes_its_worker_down_too_often_fails(store: Store) -> None:
    """Refunds have a cap. Fails without MAX_LOST: it would be run for ever."""
    worker = store.worker()
    last, cap = store.running(worker), store.running(worker)
    store.set_run(last.id, lost=MAX_LOST - 2)
    store.set_run(cap.id, lost=MAX_LOST - 1)
    store.silence(worker)
    store.free_silent(worker)
    assert [store.status(run.id) for run in (last, cap)] == ["QUEUED", "FAILED"]
    assert [store.get(run.id).attempt for run in (last, cap)] == [0, 1]


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(store: Store) -> None:
    """Nobody needs it any more."""
    worker = store.worker()
    run = store.running(worker)
    store.do(lambda d: runs.cancel(d, run.id))
    store.silence(worker)
    assert store.free_silent(worker) == [rescue.Freed(run.id, "j", "CANCELLED")]
    assert store.get(run.id).cancel_requested is False


@pytest.mark.parametrize("gone", ["deleted", "dead"])
def test_runs_whose_owner_has_no_living_row_are_freed(store: Store, gone: str) -> None:
    """A claim raced with the burial, or somebody deleted the row."""
    worker, other = store.worker(), store.worker()
    run, kept = store.running(worker), store.running(other)
    if gone == "deleted":
        store.change(lambda t: f"DELETE FROM {t.worker} WHERE id = :id", id=store.key(worker))
    else:
        store.database.transact(lambda conn: workers.leave(conn, worker))
    assert store.database.transact(rescue.free_ownerless) == [rescue.Freed(run.id, "j", "QUEUED")]
    assert store.get(run.id).fence == 2
    assert store.status(kept.id) == "RUNNING"
    assert store.database.transact(rescue.free_ownerless) == []

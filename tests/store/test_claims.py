"""Claims: which runs, in which order, and what the claimer is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lodger.model.outcome import Raised, Snoozed
from lodger.model.run import RunError
from lodger.store import claims, queues, runs, workers
from tests.support.store import Store, new_run


def order(store: Store, *new: Any) -> list[int]:
    """The order in which these runs, inserted one by one, are claimed."""
    for run in new:
        store.insert(run)
    store.promote()
    worker = store.worker()
    claimed = [store.claim_one(worker).id for _ in new]
    return [[run.id for run in new].index(run_id) for run_id in claimed]


def test_the_highest_priority_is_claimed_first(store: Store) -> None:
    """The rank is the priority negated."""
    assert order(store, *(new_run(claim_rank=-priority) for priority in (0, 5, -3, 100))) == [3, 1, 0, 2]


def test_of_one_priority_the_longest_due_is_claimed_first(store: Store) -> None:
    """First come, first served. Fails without run_at in ORDER BY."""
    first, second, third = (new_run() for _ in range(3))
    store.insert(first, second, third)
    for run, seconds in ((third, -30), (first, -20), (second, -10)):
        store.set_time(run.id, seconds, "run_at")
    worker = store.worker()
    assert [store.claim_one(worker).id for _ in range(3)] == [third.id, first.id, second.id]


def test_a_batch_is_answered_in_the_order_of_the_index(store: Store) -> None:
    """RETURNING has no order of its own. Fails without the sort in `claim`."""
    ranks = [3, 1, 2, 5, 4, 0] * 5
    store.insert(*(new_run(claim_rank=rank, args=str(rank)) for rank in ranks))
    claimed = [json.loads(run.args) for run in store.claim(store.worker(), 30)]
    assert claimed == sorted(ranks)


def test_no_more_than_the_limit_are_claimed(store: Store) -> None:
    """The rest stay QUEUED, and an empty queue answers nothing."""
    store.insert(*(new_run() for _ in range(5)))
    worker = store.worker()
    assert [len(store.claim(worker, 3)) for _ in range(3)] == [3, 2, 0]


def test_a_claim_moves_fence_and_attempt_and_names_its_owner(store: Store) -> None:
    """What the claimer is told is what the row says."""
    run_id = store.enqueue(
        args='{"a":1}', max_attempts=4, on_crash="fail", options='{"timeout":1}', meta='{"m":1}', expires_seconds=600
    )
    worker = store.worker()
    claimed = store.claim_one(worker, engine=7)
    run, row = store.get(run_id), store.row(run_id)
    assert (run.status, run.fence, run.attempt, run.worker_id) == ("RUNNING", 1, 1, worker)
    assert (row["engine"], row["ready_queue"], row["owner"]) == (7, None, row["worker_id"])
    assert run.started_at is not None
    assert tuple(claimed) == (
        *(run_id, "j", "default", 1, 1, 4, "fail", 0, 0, 0, 0),
        *('{"a":1}', '{"timeout":1}', '{"m":1}', None),
    )


def test_a_second_lease_has_the_next_fence_and_what_the_first_one_saved(store: Store) -> None:
    """The fence is never reset; the checkpoint stays, and the progress until the job reports anew."""
    worker = store.worker()
    first = store.running(worker, max_attempts=5)
    store.set_run(first.id, checkpoint='{"at":3}', progress='{"done":1}')
    store.finish(first, Raised(RunError(type="E", message="m"), True))
    store.set_time(first.id, -1, "scheduled_at")
    store.promote()
    second = store.claim_one(worker)
    assert (second.fence, second.attempt, second.checkpoint) == (2, 2, '{"at":3}')
    assert store.get(first.id).progress is not None


def test_a_snoozed_run_keeps_its_attempt_but_not_its_fence(store: Store) -> None:
    """Attempts are refunded, leases are not."""
    worker = store.worker()
    run = store.running(worker)
    store.finish(run, Snoozed(0))
    store.promote()
    again = store.claim_one(worker)
    assert (again.fence, again.attempt) == (2, 1)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (["a"], {"a"}),
        (["a", "b"], {"a", "b"}),
        (["c", "A", "a.", "x"], set()),
        ([], set()),
        (["b", "a", "b"], {"a", "b"}),
        (["pkg.mod.fn"], {"pkg.mod.fn"}),
        ([f"job_{n}" for n in range(2000)] + ["b"], {"b"}),
    ],
    ids=["one", "two", "others", "none", "twice", "dotted", "many"],
)
def test_only_jobs_that_the_claimer_knows_are_claimed(store: Store, jobs: list[str], expected: set[str]) -> None:
    """During a deployment old and new code share the table. Fails without the condition on `job`."""
    store.insert(*(new_run(job=job) for job in ("a", "b", "ab", "pkg.mod.fn", "pkgxmod.fn")))
    assert {run.job for run in store.claim(store.worker(), jobs=jobs)} == expected


def test_unknown_jobs_at_the_head_do_not_hold_up_known_ones(store: Store) -> None:
    """They are passed over, however high their priority."""
    store.insert(*(new_run(job="new", claim_rank=-10) for _ in range(300)), new_run(job="old"))
    assert [run.job for run in store.claim(store.worker(), 1, jobs=["old"])] == ["old"]


def test_only_the_queue_asked_for_is_claimed(store: Store) -> None:
    """Byte for byte: case counts, also where the database's own default folds it."""
    store.insert(*(new_run(queue=queue) for queue in ("media", "Media", "media2", "medi")))
    assert [run.queue for run in store.claim(store.worker(), queue="media")] == ["media"]


@pytest.mark.parametrize("status", ["SCHEDULED", "BLOCKED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"])
def test_only_queued_runs_are_claimed(store: Store, status: str) -> None:
    """Whatever else their columns say. Fails when the claim searches by `queue` instead of `ready_queue`."""
    worker = store.worker()
    run_id = store.enqueue()
    columns: dict[str, Any] = {"status": status, "ready_queue": None}
    if status == "SCHEDULED":
        columns["scheduled_at"] = store.row(run_id)["run_at"]
    if status == "RUNNING":
        columns["owner"] = store.key(worker)
    store.set_run(run_id, **columns)
    assert store.claim(worker) == []
    assert store.row(run_id)["fence"] == 0


def test_a_scheduled_run_is_not_claimed_before_it_is_promoted(store: Store) -> None:
    """QUEUED rows are all due: the claim asks for no time."""
    store.enqueue(delay_seconds=3600)
    assert store.promote() == []
    assert store.claim(store.worker()) == []


def test_a_paused_queue_is_not_claimed_and_its_neighbours_are(store: Store) -> None:
    """Fails without the NOT EXISTS on paused queues in `_due`."""
    store.insert(new_run(queue="a"), new_run(queue="b"))
    worker = store.worker()
    store.database.transact(lambda conn: queues.pause(conn, "a"))
    assert store.claim(worker, queue="a") == []
    assert len(store.claim(worker, queue="b")) == 1
    store.database.transact(lambda conn: queues.resume(conn, "a"))
    assert len(store.claim(worker, queue="a")) == 1


@pytest.mark.parametrize("gone", ["left", "buried", "never registered"])
def test_a_worker_that_is_not_alive_claims_nothing(store: Store, gone: str) -> None:
    """It slept, was declared dead and has not noticed yet. Fails without EXISTS on the worker's row."""
    store.enqueue()
    worker = store.worker() if gone != "never registered" else new_run().id
    if gone == "left":
        store.database.transact(lambda conn: workers.leave(conn, worker))
    elif gone == "buried":
        store.silence(worker)
        store.free_silent(worker)
    assert store.claim(worker) == []
    assert store.count("status = 'QUEUED'") == 1


def test_a_silent_worker_that_nobody_has_buried_may_still_claim(store: Store) -> None:
    """Only the mark counts: it is set under the row's lock."""
    store.enqueue()
    worker = store.worker()
    store.silence(worker)
    assert len(store.claim(worker)) == 1


@pytest.mark.parametrize(("seconds", "expired"), [(-1, 1), (600, 0), (None, 0)])
def test_a_claim_tells_whether_the_run_has_expired(store: Store, seconds: float | None, expired: int) -> None:
    """By the database's clock; the worker then cancels it without starting it."""
    run_id = store.enqueue(expires_seconds=None if seconds is None else 600)
    if seconds is not None:
        store.set_time(run_id, seconds, "expires_at")
    assert store.claim_one(store.worker()).expired == expired


def test_queues_with_work_are_those_with_due_runs_that_are_not_paused(store: Store) -> None:
    """In order, each once, whatever the number of their runs."""
    assert store.database.transact(claims.queues_with_work) == []
    store.insert(*(new_run(queue=queue) for queue in ("b", "a", "c", "a", "b", "paused")))
    store.insert(new_run(queue="later", delay_seconds=60))
    store.database.transact(lambda conn: queues.pause(conn, "paused"))
    store.claim(store.worker(), queue="c")
    assert store.database.transact(claims.queues_with_work) == ["a", "b"]


def test_adopt_gives_a_run_enqueued_by_name_its_job_s_limits(store: Store) -> None:
    """What the enqueuer said wins. Fails without COALESCE."""
    worker = store.worker()
    by_name, own = store.running(worker), store.running(worker, max_attempts=9, on_crash="retry")
    for run in (by_name, own):
        store.database.transact(lambda conn, run=run: claims.adopt(conn, run, max_attempts=3, on_crash="fail"))
    found = [(store.row(run.id)["max_attempts"], store.row(run.id)["on_crash"]) for run in (by_name, own)]
    assert found == [(3, "fail"), (9, "retry")]


def test_adopt_under_a_lost_lease_changes_nothing(store: Store) -> None:
    """Fails without the fence in adopt_run."""
    worker = store.worker()
    run = store.running(worker)
    store.free_engine(worker)
    store.claim_one(worker)
    store.database.transact(lambda conn: claims.adopt(conn, run, max_attempts=3, on_crash="fail"))
    assert store.row(run.id)["max_attempts"] is None


def test_runs_that_an_engine_owns_without_knowing_are_given_back(store: Store) -> None:
    """The reply to its claim was lost. Attempt refunded, fence moved, known ones and other engines' left alone."""
    worker = store.worker()
    known, lost, other = (store.running(worker, engine=engine) for engine in (1, 1, 2))
    give_back = lambda conn: claims.release_unknown(conn, worker=worker, engine=1, known=[(known.id, 1)])  # noqa: E731
    assert store.database.transact(give_back) == 1
    assert [store.status(run.id) for run in (known, lost, other)] == ["RUNNING", "QUEUED", "RUNNING"]
    run = store.get(lost.id)
    assert (run.fence, run.attempt) == (2, 0)
    assert store.database.transact(give_back) == 0
    assert store.claim_one(worker).fence == 3


def test_an_engine_does_not_know_a_run_by_a_lease_that_it_lost(store: Store) -> None:
    """It still works on the old one; the reply to its claim of the new one was lost. Fails when ids are compared."""
    worker = store.worker()
    old = store.running(worker)
    store.free_engine(worker)
    assert store.claim_one(worker).fence == old.fence + 2
    lease = old.id, old.fence
    give_back = lambda conn: claims.release_unknown(conn, worker=worker, engine=1, known=[lease])  # noqa: E731
    assert store.database.transact(give_back) == 1
    assert store.status(old.id) == "QUEUED"


def test_cancel_requests_are_told_to_the_engine_that_runs_them(store: Store) -> None:
    """With the fence, so that a later lease of the same run is not meant."""
    worker = store.worker()
    asked, not_asked, elsewhere = (store.running(worker, engine=engine) for engine in (1, 1, 2))
    for run in (asked, elsewhere):
        store.do(lambda d, run=run: runs.cancel(d, run.id))
    told = store.database.transact(lambda conn: claims.leases(conn, worker=worker, engine=1))
    assert told == {(asked.id, 1): True, (not_asked.id, 1): False}

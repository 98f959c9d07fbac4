"""Finish under leases that may be lost: the fence decides, run by run."""

from __future__ import annotations

import pytest

from lodger.model.outcome import Cancelled, Ending, Raised, Returned, Snoozed
from lodger.model.run import ClaimedRun, RunError
from lodger.store import claims, runs
from tests.support.store import Store, ending

ERROR = RunError(type="E", message="m")
WAYS_TO_LOSE = [
    "engine freed",
    "worker freed",
    "given back",
    "forced cancel",
    "claimed by another",
    "completed in a transaction",
]
# One written by the plain statement, one by the other, one that is not the end of the run.
ANSWERS: list[Ending] = [Returned(None), Returned("1"), Raised(ERROR, True)]


def lose(store: Store, worker: str, run: ClaimedRun, way: str) -> None:
    """Take the run from its worker."""
    if way in ("engine freed", "claimed by another"):
        store.free_engine(worker)
    elif way == "worker freed":
        store.silence(worker)
        store.free_silent(worker)
    elif way == "given back":
        store.database.transact(lambda conn: claims.release_unknown(conn, worker=worker, engine=1, known=[]))
    elif way == "forced cancel":
        store.do(lambda d: runs.cancel(d, run.id, force=True))
    elif way == "completed in a transaction":
        store.do(lambda d: runs.complete(d, run.id, run.fence, None))
        store.do(lambda d: runs.retry(d, run.id))
    if way == "claimed by another":
        assert store.claim_one(store.worker()).id == run.id


@pytest.mark.parametrize("how", ANSWERS, ids=["plain", "result", "retry"])
@pytest.mark.parametrize("way", WAYS_TO_LOSE)
def test_a_late_answer_changes_nothing_and_is_told_to_be_lost(store: Store, way: str, how: Ending) -> None:
    """The worker slept; the run belongs to somebody else. Fails without the fence in `succeed_*` and `finish`."""
    worker = store.worker()
    run = store.running(worker)
    lose(store, worker, run, way)
    before, told = store.row(run.id), store.attempts(run.id)
    assert store.record(ending(run, how)) == {(run.id, run.fence)}
    assert store.row(run.id) == before
    assert store.attempts(run.id) == told


@pytest.mark.parametrize("lost_at", [0, 5, 9])
def test_of_a_batch_the_lost_ones_are_named_and_the_others_stand(store: Store, lost_at: int) -> None:
    """One lost lease must not undo its neighbours' work."""
    worker = store.worker()
    leases = [store.running(worker) for _ in range(10)]
    answers = [ending(run, ANSWERS[n % 3]) for n, run in enumerate(leases)]
    lost = leases[lost_at]
    store.do(lambda d: runs.cancel(d, lost.id, force=True))
    assert store.record(*answers) == {(lost.id, lost.fence)}
    for answer in answers:
        assert store.status(answer.run.id) == ("CANCELLED" if answer.run is lost else answer.status)


def test_a_batch_of_which_all_are_lost_writes_nothing(store: Store) -> None:
    """A worker that slept through its own funeral."""
    worker = store.worker()
    leases = [store.running(worker) for _ in range(5)]
    store.silence(worker)
    store.free_silent(worker)
    answers = [ending(run, ANSWERS[n % 3]) for n, run in enumerate(leases)]
    assert store.record(*answers) == {(run.id, 1) for run in leases}
    assert store.count("status = 'QUEUED' AND fence = 2") == 5


@pytest.mark.parametrize("how", [*ANSWERS, Snoozed(5), Cancelled("no")], ids=lambda how: type(how).__name__)
def test_an_outcome_recorded_twice_is_accepted_twice_and_written_once(store: Store, how: Ending) -> None:
    """The reply to the first commit was lost. Fails when `record` does not ask who matched."""
    run = store.running(store.worker())
    answer = ending(run, how)
    assert store.record(answer) == set()
    row, told = store.row(run.id), store.attempts(run.id)
    assert store.record(answer) == set()
    assert store.row(run.id) == row
    assert store.attempts(run.id) == told


@pytest.mark.parametrize(
    "how", [Raised(ERROR, True), Raised(ERROR, False), Cancelled("no")], ids=["retry", "fail", "no"]
)
def test_what_complete_in_has_ended_did_not_fail_though_its_job_says_so(store: Store, how: Ending) -> None:
    """The reply to the app's commit was lost, so the job raised. Fails when `record` tells what disagrees."""
    run = store.running(store.worker())
    store.do(lambda d: runs.complete(d, run.id, run.fence, None))
    before = store.row(run.id)
    assert store.record(ending(run, how)) == set()
    assert store.row(run.id) == before
    assert store.attempts(run.id) == []


def test_an_outcome_recorded_again_after_the_run_went_on_changes_nothing(store: Store) -> None:
    """The retry was promoted and claimed meanwhile: the fence has moved on."""
    worker = store.worker()
    run = store.running(worker)
    answer = store.finish(run, Snoozed(0))
    store.promote()
    assert store.record(answer) == set()  # queued under the same fence: it did arrive
    store.claim_one(worker)
    before = store.row(run.id)
    store.record(answer)
    assert store.row(run.id) == before


def test_an_unknown_run_is_lost(store: Store) -> None:
    """Pruned meanwhile, or never there."""
    run = store.running(store.worker())
    store.change(lambda t: f"DELETE FROM {t.run}")
    assert store.record(ending(run, Returned(None))) == {(run.id, 1)}


def test_a_fence_of_the_future_is_refused(store: Store) -> None:
    """Equal, not greater."""
    run = store.running(store.worker())
    assert store.record(ending(run._replace(fence=2), Returned(None))) == {(run.id, 2)}
    assert store.status(run.id) == "RUNNING"

"""Finish: each outcome as it stands in the row, and who is told what."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lodger.model.outcome import (
    Cancelled,
    Crashed,
    Ending,
    Expired,
    Mismatched,
    Raised,
    Returned,
    Snoozed,
    Stopped,
    TimedOut,
)
from lodger.model.payload import MAX_BYTES, encode
from lodger.model.run import ClaimedRun, RunError
from lodger.store import finish
from tests.support.store import Store, ending, new_run
from tests.support.texts import NASTY_TEXTS

ERROR = RunError(type="OSError", message="no", traceback="Traceback (most recent call last)")
ENDINGS: list[Ending] = [
    Returned(None),
    Returned('{"a":1}'),
    Raised(ERROR, True),
    Raised(ERROR, False),
    TimedOut(5),
    Crashed("SIGSEGV"),
    Snoozed(30),
    Stopped(),
    Mismatched(ERROR),
    Cancelled("why"),
    Expired(),
]
FIRST_SUCCESSES = (Returned(None), Returned('{"a":1}'))


def name(how: Ending) -> str:
    """A readable test id."""
    return f"{type(how).__name__}{getattr(how, 'retryable', '')}{'+' if getattr(how, 'result', None) else ''}"


def second_lease(store: Store, worker: str) -> ClaimedRun:
    """A run under its second fence: then even a plain success is written by ``finish``."""
    first = store.running(worker, max_attempts=5)
    store.finish(first, Snoozed(0))
    store.promote()
    return store.claim_one(worker)


@pytest.mark.parametrize("lease", [1, 2])
@pytest.mark.parametrize("how", ENDINGS, ids=name)
def test_each_outcome_stands_in_the_row_as_it_was_decided(store: Store, how: Ending, lease: int) -> None:
    """Status, counts, times and error, by both ways of writing."""
    worker = store.worker()
    run = store.running(worker, max_attempts=5) if lease == 1 else second_lease(store, worker)
    outcome = store.finish(run, how)
    row, after = store.row(run.id), store.get(run.id)
    assert after.status == outcome.status
    assert after.fence == run.fence + (outcome.status == "QUEUED")
    assert after.attempt == run.attempt - outcome.refund
    assert after.crashes == outcome.crashed
    assert row["suspect"] == outcome.crashed
    assert after.interruptions == (outcome.kind in ("INTERRUPTED", "MISMATCHED"))
    assert row["owner"] is None
    assert after.worker_id == worker  # who had it last stays readable
    assert (row["ready_queue"] == "default") is (outcome.status == "QUEUED")
    assert (row["scheduled_at"] is not None) is (outcome.status == "SCHEDULED")
    assert (after.completed_at is not None) is outcome.status.is_terminal
    assert after.result == ({"a": 1} if outcome.result else None)
    assert (after.error and after.error.message) == (outcome.error and outcome.error.message)
    assert after.cancel_requested is False


def test_a_retry_is_due_after_its_delay_by_the_database_s_clock(store: Store) -> None:
    """And keeps that as the time it was meant for."""
    run = store.running(store.worker(), max_attempts=5)
    outcome = store.finish(run, Raised(ERROR, True))
    row, after = store.row(run.id), store.get(run.id)
    assert row["scheduled_at"] == row["run_at"]
    assert after.run_at is not None
    assert after.started_at is not None
    waited = after.run_at - after.started_at - timedelta(seconds=outcome.delay_seconds)
    assert timedelta(0) <= waited < timedelta(seconds=30)


def test_an_ended_run_keeps_the_time_it_was_meant_for(store: Store) -> None:
    """It shows how late the run was."""
    run = store.running(store.worker())
    before = store.row(run.id)["run_at"]
    store.finish(run, Raised(ERROR, False))
    assert store.row(run.id)["run_at"] == before


@pytest.mark.parametrize("how", ENDINGS, ids=name)
def test_only_what_the_run_s_own_row_cannot_tell_gets_an_attempt_row(store: Store, how: Ending) -> None:
    """A success under the first lease is told by the run itself: half of the writes of most apps."""
    worker = store.worker()
    run = store.running(worker, max_attempts=5)
    outcome = store.finish(run, how)
    told = store.attempts(run.id)
    if how in FIRST_SUCCESSES:
        assert told == []
        return
    (attempt,) = told
    assert (attempt.run_id, attempt.fence, attempt.attempt, attempt.outcome) == (run.id, 1, 1, outcome.kind)
    assert attempt.worker_id == worker
    assert attempt.started_at == store.get(run.id).started_at
    assert attempt.started_at is not None
    assert attempt.ended_at >= attempt.started_at
    assert attempt.error == outcome.error


def test_a_success_under_a_later_lease_is_told_in_order_behind_the_others(store: Store) -> None:
    """The history is whole as soon as there is one."""
    worker = store.worker()
    store.finish(second := second_lease(store, worker), Returned("1"))
    told = [(attempt.fence, attempt.attempt, attempt.outcome) for attempt in store.attempts(second.id)]
    assert told == [(1, 1, "SNOOZED"), (2, 1, "SUCCEEDED")]


def test_the_error_comes_back_with_the_traceback_of_the_last_attempt(store: Store) -> None:
    """The row keeps type and message; the traceback is with the attempt."""
    run = store.running(store.worker(), max_attempts=5)
    store.finish(run, Raised(ERROR, True))
    assert store.get(run.id).error == ERROR


def test_a_later_success_clears_the_error(store: Store) -> None:
    """What was wrong before is in the attempts."""
    worker = store.worker()
    first = store.running(worker, max_attempts=5)
    store.finish(first, Raised(ERROR, True))
    store.set_time(first.id, -1, "scheduled_at")
    store.promote()
    store.finish(store.claim_one(worker), Returned(None))
    assert store.get(first.id).error is None


@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_batch_of_all_kinds_at_once_is_written_whole(store: Store, count: int) -> None:
    """Each run keeps its own outcome, result and error. The batch's order does not matter."""
    worker = store.worker()
    store.insert(*(new_run(max_attempts=5) for _ in range(count)))
    runs = store.claim(worker, count)
    outcomes = [
        ending(run, Returned(f"{n}") if n % 4 == 0 else ENDINGS[n % len(ENDINGS)]) for n, run in enumerate(runs)
    ]
    assert store.record(*reversed(outcomes)) == set()
    for outcome in outcomes:
        after = store.get(outcome.run.id)
        assert after.status == outcome.status
        assert after.result == (json.loads(outcome.result) if outcome.result else None)
        assert (after.error and after.error.type) == (outcome.error and outcome.error.type)


def test_no_outcomes_are_no_error(store: Store) -> None:
    """A recorder may wake for nothing."""
    assert store.record() == set()


def test_every_result_comes_back_as_it_was(store: Store) -> None:
    """On MariaDB and PostgreSQL it travels as JSON inside JSON."""
    values = [*NASTY_TEXTS, *([{text: [text, None, 1.5, True]}] for text in NASTY_TEXTS), None, 0, False, "", [], {}]
    for _ in values:
        store.enqueue()
    leases = store.claim(store.worker(), len(values))
    outcomes = [ending(run, Returned(encode(value, "result"))) for run, value in zip(leases, values, strict=True)]
    assert store.record(*outcomes) == set()
    assert [store.get(run.id).result for run in leases] == values
    assert store.row(leases[values.index(None)].id)["result"] == "null"  # not the same as no result


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\x00" * 20, "x" * 200_000, *NASTY_TEXTS[:20]])
def test_an_error_of_any_text_can_be_recorded(store: Store, text: str) -> None:
    """Recording cannot fail: NUL and lone surrogates are replaced, long text is cut. Fails without clean_text."""
    run = store.running(store.worker())
    error = RunError(type=text, message=text, traceback=text)
    store.finish(run, Raised(error, False))
    read = store.get(run.id).error
    (attempt,) = store.attempts(run.id)
    assert read is not None
    assert attempt.error is not None or not text
    assert len(read.type) <= 255
    assert len(read.message) <= finish.MAX_MESSAGE
    assert len(read.traceback or "") <= finish.MAX_TRACEBACK
    if len(text) < 200 and "\x00" not in text and text.isprintable():
        assert (read.type, read.message) == (text, text)


def test_a_batch_of_the_largest_results_is_written(store: Store) -> None:
    """Servers bound the size of a statement (MariaDB: 16 MB by default), and quotes are escaped twice on the way.

    Fails when the whole batch is one statement.
    """
    worker = store.worker()
    for _ in range(6):
        store.enqueue()
    result = json.dumps('"' * ((MAX_BYTES - 2) // 2))
    runs = store.claim(worker, 6)
    assert store.record(*(ending(run, Returned(result)) for run in runs)) == set()
    assert store.count(f"status = 'SUCCEEDED' AND LENGTH(result) = {len(result)}") == 6

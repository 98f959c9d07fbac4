"""``decide`` as a complete table: each ending, in each situation that changes what it comes to."""

from __future__ import annotations

import random
from typing import Any, NamedTuple, get_args

import pytest

from lodger.model.outcome import (
    MAX_CRASHES,
    MAX_INTERRUPTIONS,
    MAX_MISMATCHES,
    MISMATCH_SECONDS,
    Cancelled,
    Crashed,
    Ending,
    Expired,
    Mismatched,
    Outcome,
    OutcomeKind,
    Raised,
    Returned,
    Snoozed,
    Stopped,
    TimedOut,
    Unstarted,
    decide,
)
from lodger.model.retry import Retry
from lodger.model.run import ClaimedRun, RunError

POLICY = Retry(max_attempts=3, first_seconds=10, factor=2, jitter=0)
ERROR = RunError(type="OSError", message="no", traceback="Traceback")
WITHOUT_TIMEOUTS = Retry(max_attempts=3, on=(KeyError,))
ON_OS_ERRORS = Retry(max_attempts=3, first_seconds=10, jitter=0, on=(OSError,))


def claimed(**changes: Any) -> ClaimedRun:
    """A run under its first lease."""
    fields = {
        "id": "01990000-0000-7000-8000-000000000000",
        "job": "j",
        "queue": "q",
        "fence": 1,
        "attempt": 1,
        "max_attempts": 3,
        "on_crash": "retry",
        "crashes": 0,
        "interruptions": 0,
        "suspect": False,
        "expired": False,
        "args": "{}",
        "options": None,
        "meta": None,
        "checkpoint": None,
    }
    return ClaimedRun(**{**fields, **changes})


class Row(NamedTuple):
    """One row of the table: what happened to which run, and what the database is told."""

    ending: Ending
    run: dict[str, Any]
    kind: str
    status: str
    delay: float = 0
    refund: bool = False
    error: str | None = None
    retry: Retry = POLICY


TABLE: dict[str, Row] = {
    "returned": Row(Returned(None), {}, "SUCCEEDED", "SUCCEEDED"),
    "claimed ahead, not begun": Row(Unstarted(), {"interruptions": 999}, "RELEASED", "QUEUED", refund=True),
    "returned in the last attempt": Row(Returned("1"), {"attempt": 3}, "SUCCEEDED", "SUCCEEDED"),
    "returned beyond the last attempt": Row(Returned("1"), {"attempt": 9}, "SUCCEEDED", "SUCCEEDED"),
    "raised first": Row(Raised(ERROR, True), {}, "FAILED", "SCHEDULED", delay=10, error="OSError"),
    "raised again": Row(Raised(ERROR, True), {"attempt": 2}, "FAILED", "SCHEDULED", delay=20, error="OSError"),
    "raised last": Row(Raised(ERROR, True), {"attempt": 3}, "FAILED", "FAILED", error="OSError"),
    "raised beyond": Row(Raised(ERROR, True), {"attempt": 4}, "FAILED", "FAILED", error="OSError"),
    "raised, not retryable": Row(Raised(ERROR, False), {}, "FAILED", "FAILED", error="OSError"),
    "raised, the run allows more than its job": Row(
        Raised(ERROR, True), {"attempt": 3, "max_attempts": 5}, "FAILED", "SCHEDULED", delay=40, error="OSError"
    ),
    "raised, the run allows one": Row(Raised(ERROR, True), {"max_attempts": 1}, "FAILED", "FAILED", error="OSError"),
    "raised, the run says nothing": Row(
        Raised(ERROR, True), {"max_attempts": None}, "FAILED", "SCHEDULED", delay=10, error="OSError"
    ),
    "raised last, the run says nothing": Row(
        Raised(ERROR, True), {"max_attempts": None, "attempt": 3}, "FAILED", "FAILED", error="OSError"
    ),
    "retry after": Row(Raised(ERROR, True, 7), {}, "FAILED", "SCHEDULED", delay=7, error="OSError"),
    "retry after zero": Row(Raised(ERROR, True, 0), {}, "FAILED", "SCHEDULED", delay=0, error="OSError"),
    "retry after, attempts spent": Row(Raised(ERROR, True, 7), {"attempt": 3}, "FAILED", "FAILED", error="OSError"),
    "timed out": Row(TimedOut(5), {}, "TIMED_OUT", "SCHEDULED", delay=10, error="Timeout"),
    "timed out last": Row(TimedOut(5), {"attempt": 3}, "TIMED_OUT", "FAILED", error="Timeout"),
    "timed out, not to be retried": Row(
        TimedOut(5), {}, "TIMED_OUT", "FAILED", error="Timeout", retry=WITHOUT_TIMEOUTS
    ),
    "timed out, retried as an OSError": Row(
        TimedOut(5), {}, "TIMED_OUT", "SCHEDULED", delay=10, error="Timeout", retry=ON_OS_ERRORS
    ),
    "crashed": Row(Crashed("SIGSEGV"), {}, "CRASHED", "SCHEDULED", delay=10, error="Crashed"),
    "crashed, retries only other errors": Row(
        Crashed("SIGSEGV"), {}, "CRASHED", "SCHEDULED", delay=5, error="Crashed", retry=Retry(jitter=0, on=(KeyError,))
    ),
    "crashed last": Row(Crashed("SIGSEGV"), {"attempt": 3}, "CRASHED", "FAILED", error="Crashed"),
    "crashed second of three": Row(
        Crashed("x"), {"crashes": MAX_CRASHES - 2}, "CRASHED", "SCHEDULED", delay=10, error="Crashed"
    ),
    "crashed too often": Row(Crashed("x"), {"crashes": MAX_CRASHES - 1}, "CRASHED", "FAILED", error="Crashed"),
    "crashed, must not run twice": Row(Crashed("x"), {"on_crash": "fail"}, "CRASHED", "FAILED", error="Crashed"),
    "crashed, says nothing": Row(Crashed("x"), {"on_crash": None}, "CRASHED", "SCHEDULED", delay=10, error="Crashed"),
    "snoozed": Row(Snoozed(30), {}, "SNOOZED", "SCHEDULED", delay=30, refund=True),
    "snoozed in the last attempt": Row(Snoozed(30), {"attempt": 3}, "SNOOZED", "SCHEDULED", delay=30, refund=True),
    "stopped": Row(Stopped(), {}, "INTERRUPTED", "QUEUED", refund=True),
    "stopped in the last attempt": Row(Stopped(), {"attempt": 3}, "INTERRUPTED", "QUEUED", refund=True),
    "stopped, one before the cap": Row(
        Stopped(), {"interruptions": MAX_INTERRUPTIONS - 2}, "INTERRUPTED", "QUEUED", refund=True
    ),
    "stopped too often": Row(
        Stopped(), {"interruptions": MAX_INTERRUPTIONS - 1}, "INTERRUPTED", "FAILED", error="Interrupted"
    ),
    "mismatched": Row(
        Mismatched(ERROR), {}, "MISMATCHED", "SCHEDULED", delay=MISMATCH_SECONDS, refund=True, error="OSError"
    ),
    "mismatched in the last attempt": Row(
        Mismatched(ERROR),
        {"attempt": 3},
        "MISMATCHED",
        "SCHEDULED",
        delay=MISMATCH_SECONDS,
        refund=True,
        error="OSError",
    ),
    "mismatched too often": Row(
        Mismatched(ERROR), {"interruptions": MAX_MISMATCHES - 1}, "MISMATCHED", "FAILED", error="OSError"
    ),
    "cancelled": Row(Cancelled("why"), {}, "CANCELLED", "CANCELLED", error="Cancelled"),
    "cancelled in the last attempt": Row(Cancelled("why"), {"attempt": 3}, "CANCELLED", "CANCELLED", error="Cancelled"),
    "expired": Row(Expired(), {}, "EXPIRED", "CANCELLED", refund=True, error="Expired"),
}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_each_ending_in_each_situation_comes_to(row: Row) -> None:
    """The whole outcome is compared, so a field that should have stayed at its default shows too."""
    run = claimed(**row.run)
    outcome = decide(run, row.ending, row.retry, random.Random(1))
    assert outcome == Outcome(
        run=run,
        kind=OutcomeKind(row.kind),
        status=outcome.status.__class__(row.status),
        delay_seconds=row.delay,
        result=row.ending.result if isinstance(row.ending, Returned) else None,
        error=outcome.error,
        refund=row.refund,
        crashed=isinstance(row.ending, Crashed),
    )
    assert (outcome.error.type if outcome.error else None) == row.error


def test_the_table_has_every_ending_and_every_kind_but_lost() -> None:
    """A new ending without a row fails here. LOST is for rescue: no process is left to decide it."""
    assert {type(row.ending) for row in TABLE.values()} == set(get_args(Ending))
    assert {row.kind for row in TABLE.values()} == {kind.name for kind in OutcomeKind} - {"LOST"}


def test_the_job_s_own_error_is_passed_on_whole() -> None:
    """Type, message and traceback, as the executor caught them."""
    assert decide(claimed(), Raised(ERROR, True), POLICY, random.Random(1)).error is ERROR


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (TimedOut(2.5), ["2.5 s"]),
        (Crashed("signal SIGKILL, 512 MB"), ["signal SIGKILL, 512 MB", "crash 1 of 3"]),
        (Cancelled("no longer wanted"), ["no longer wanted"]),
        (Expired(), ["expired"]),
    ],
    ids=["timeout", "crash", "cancel", "expiry"],
)
def test_the_message_says_what_happened(ending: Ending, words: list[str]) -> None:
    """Whoever reads the run's page needs the signal, the time or the reason."""
    error = decide(claimed(), ending, POLICY, random.Random(1)).error
    assert error is not None
    assert all(word in error.message for word in words)


def test_only_what_succeeds_under_the_first_lease_or_did_not_begin_needs_no_attempt_row() -> None:
    """Everything else leaves a row of its own, a late success included."""
    rand = random.Random(1)
    assert not decide(claimed(), Returned("1"), POLICY, rand).needs_attempt_row
    assert decide(claimed(fence=2), Returned("1"), POLICY, rand).needs_attempt_row
    for row in TABLE.values():
        if not isinstance(row.ending, Returned):
            told = decide(claimed(**row.run), row.ending, row.retry, rand).needs_attempt_row
            assert told is not isinstance(row.ending, Unstarted)

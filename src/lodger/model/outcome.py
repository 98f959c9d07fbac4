"""What an attempt came to, decided in one pure place.

An executor reports an Ending (what happened); ``decide`` turns it into an Outcome (what the database
is told): the next status, the wait before it, what is refunded and what is counted.

    Ending          next status              attempt    counted in
    Returned        SUCCEEDED                spent
    Raised          SCHEDULED or FAILED      spent
    TimedOut        SCHEDULED or FAILED      spent
    Crashed         SCHEDULED or FAILED      spent      crashes (cap 3)
    Snoozed         SCHEDULED                refunded
    Stopped         QUEUED                   refunded   interruptions (cap 100)
    Unstarted       QUEUED                   refunded   not counted: nothing of it was run
    Mismatched      SCHEDULED or FAILED      refunded   interruptions (cap 20)
    Cancelled       CANCELLED                spent
    Expired         CANCELLED                refunded
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from lodger.model.retry import Retry
from lodger.model.run import ClaimedRun, RunError
from lodger.model.status import Status

MAX_CRASHES: Final = 3
MAX_INTERRUPTIONS: Final = 100
MAX_LOST: Final = 20
MAX_MISMATCHES: Final = 20
MISMATCH_SECONDS: Final = 15.0
"""Refunds have caps of their own, or a run that takes its host down would be run for ever."""


class OutcomeKind(StrEnum):
    """The word stored with an attempt."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"
    SNOOZED = "SNOOZED"
    INTERRUPTED = "INTERRUPTED"
    MISMATCHED = "MISMATCHED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    LOST = "LOST"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class Returned:
    """The job returned; ``result`` is JSON text or None."""

    result: str | None


@dataclass(frozen=True, slots=True)
class Raised:
    """The job raised; ``retryable`` says whether its policy retries on this class of error."""

    error: RunError
    retryable: bool
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The attempt ran longer than its timeout and was stopped."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process of the attempt died; ``exit`` says how (signal, exit code, memory)."""

    exit: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The job asked to be run again later, without spending an attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The worker is stopping and took the run back."""


@dataclass(frozen=True, slots=True)
class Unstarted:
    """The run was claimed, found no slot and is given back."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody cancelled the run, or the job raised Cancel."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The run was claimed after its expiry; it did not start."""


@dataclass(frozen=True, slots=True)
class Mismatched:
    """What is stored, arguments or options, does not fit the code here: two releases run at once, or a mistake."""

    error: RunError


Ending = Returned | Raised | TimedOut | Crashed | Snoozed | Stopped | Unstarted | Cancelled | Expired | Mismatched


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the database is told about one attempt; written only while ``fence`` is valid."""

    run: ClaimedRun
    kind: OutcomeKind
    status: Status
    delay_seconds: float = 0.0
    result: str | None = None
    error: RunError | None = None
    refund: bool = False
    crashed: bool = False

    @property
    def needs_attempt_row(self) -> bool:
        """A run that succeeds under its first lease is told by its own row alone; one that did not start by nothing."""
        if self.kind is OutcomeKind.SUCCEEDED:
            return self.run.fence != 1
        return self.kind is not OutcomeKind.RELEASED


def decide(run: ClaimedRun, ending: Ending, retry: Retry, rand: random.Random) -> Outcome:
    """Return the outcome of ``ending`` for ``run`` under its ``retry`` policy."""
    match ending:
        case Returned(result):
            return Outcome(run=run, kind=OutcomeKind.SUCCEEDED, status=Status.SUCCEEDED, result=result)
        case Raised(error, retryable, retry_after):
            return _failed(run, OutcomeKind.FAILED, error, retry, rand, retryable, retry_after)
        case TimedOut(seconds):
            error = RunError(type="Timeout", message=f"stopped after its timeout of {seconds:g} s")
            return _failed(run, OutcomeKind.TIMED_OUT, error, retry, rand, _retries_timeouts(retry))
        case Crashed(how):
            return _crashed(run, how, retry, rand)
        case Snoozed(seconds):
            return Outcome(
                run=run, kind=OutcomeKind.SNOOZED, status=Status.SCHEDULED, delay_seconds=seconds, refund=True
            )
        case Stopped() | Unstarted():
            return _given_back(run, began=isinstance(ending, Stopped))
        case Mismatched(error):
            return _mismatched(run, error)
        case Cancelled(reason):
            error = RunError(type="Cancelled", message=reason)
            return Outcome(run=run, kind=OutcomeKind.CANCELLED, status=Status.CANCELLED, error=error)
        case Expired():
            error = RunError(type="Expired", message="was not started before it expired")
            return Outcome(run=run, kind=OutcomeKind.EXPIRED, status=Status.CANCELLED, error=error, refund=True)
        case _:
            assert_never(ending)


def _retries_timeouts(retry: Retry) -> bool:
    return any(issubclass(TimeoutError, kind) for kind in retry.on)


def _failed(
    run: ClaimedRun,
    kind: OutcomeKind,
    error: RunError,
    retry: Retry,
    rand: random.Random,
    retryable: bool,
    retry_after: float | None = None,
) -> Outcome:
    """Retry while attempts are left and the error is one to retry on; else FAILED."""
    limit = run.max_attempts or retry.max_attempts
    if not retryable or run.attempt >= limit:
        return Outcome(run=run, kind=kind, status=Status.FAILED, error=error)
    wait = retry.delay_seconds(run.attempt, rand) if retry_after is None else retry_after
    return Outcome(run=run, kind=kind, status=Status.SCHEDULED, delay_seconds=wait, error=error)


def _crashed(run: ClaimedRun, how: str, retry: Retry, rand: random.Random) -> Outcome:
    crashes = run.crashes + 1
    error = RunError(type="Crashed", message=f"its process died: {how} (crash {crashes} of {MAX_CRASHES})")
    again = run.on_crash != "fail" and crashes < MAX_CRASHES
    outcome = _failed(run, OutcomeKind.CRASHED, error, retry, rand, again)
    return Outcome(
        run=run,
        kind=outcome.kind,
        status=outcome.status,
        delay_seconds=outcome.delay_seconds,
        error=error,
        crashed=True,
    )


def _mismatched(run: ClaimedRun, error: RunError) -> Outcome:
    """Wait for a worker of the other release (5 minutes in all), then say what does not fit."""
    if run.interruptions + 1 >= MAX_MISMATCHES:
        return Outcome(run=run, kind=OutcomeKind.MISMATCHED, status=Status.FAILED, error=error)
    return Outcome(
        run=run,
        kind=OutcomeKind.MISMATCHED,
        status=Status.SCHEDULED,
        delay_seconds=MISMATCH_SECONDS,
        error=error,
        refund=True,
    )


def _given_back(run: ClaimedRun, *, began: bool) -> Outcome:
    if not began:
        return Outcome(run=run, kind=OutcomeKind.RELEASED, status=Status.QUEUED, refund=True)
    if run.interruptions + 1 >= MAX_INTERRUPTIONS:
        error = RunError(type="Interrupted", message=f"interrupted {MAX_INTERRUPTIONS} times by stopping workers")
        return Outcome(run=run, kind=OutcomeKind.INTERRUPTED, status=Status.FAILED, error=error)
    return Outcome(run=run, kind=OutcomeKind.INTERRUPTED, status=Status.QUEUED, refund=True)

"""From what a job's function did to an Ending: the one place that reads exceptions."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any, Final

from lodger.errors import InvalidArguments, LeaseLost
from lodger.model.answers import Cancel, Interrupted, RetryAfter, Snooze
from lodger.model.job import JobSpec
from lodger.model.outcome import (
    Cancelled,
    Ending,
    Expired,
    Mismatched,
    Outcome,
    Raised,
    Returned,
    Snoozed,
    Stopped,
    TimedOut,
)
from lodger.model.payload import clean_text
from lodger.model.run import ClaimedRun, RunError
from lodger.worker.attempt.live import LiveRun
from lodger.worker.flight import Flight

logger: Final = logging.getLogger("lodger.worker")
MAX_MESSAGE: Final = 8_000
MAX_TRACEBACK: Final = 64_000


class JobStopped(BaseException):
    """Raised inside a thread that must stop; not an Exception, so that a job's own handler lets it pass."""


def joined(run: ClaimedRun, spec: JobSpec, flight: Flight) -> tuple[LiveRun, Ending | None]:
    """Return a claimed run with its code, and its ending if it can't begin: options that don't fit are its fault."""
    try:
        return LiveRun(run, spec, flight), Expired() if run.expired else None
    except Exception as error:  # noqa: BLE001 - whatever another release has stored
        return LiveRun(run._replace(options=None), spec, flight), Mismatched(describe(error))


def returned(live: LiveRun, value: Any) -> Ending:
    """Return the ending of a job that returned ``value``.

    A result that cannot be stored must not run a job again that has succeeded: it is dropped, and said.
    """
    try:
        return Returned(live.spec.result.dump(value))
    except JobStopped:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a foreign object raises while it is dumped
        logger.warning("run %s of %s: its result was not kept: %s", live.claimed.id, live.spec.name, error)
        return Returned(None)


def raised(live: LiveRun, error: BaseException) -> Ending:
    """Return the ending of a job that raised ``error``."""
    match error:
        case Snooze():
            return Snoozed(error.seconds)
        case Cancel():
            return Cancelled(error.reason)
        case RetryAfter():
            return Raised(describe(error), retryable=True, retry_after_seconds=error.seconds)
        case Interrupted():
            return Stopped()
        case asyncio.CancelledError() | JobStopped() if live.stop_reason is not None:
            return stopped(live)
        case _:
            # SystemExit, or a cancellation that is not ours: an accident like any other, worth a retry.
            again = isinstance(error, live.retry.on) or not isinstance(error, Exception)
            return Raised(describe(error), retryable=again)


def stopped(live: LiveRun) -> Ending:
    """Return the ending of an attempt that we stopped, by the reason we had."""
    match live.stop_reason:
        case "timeout":
            return TimedOut(live.timeout or 0.0)
        case "cancel":
            return Cancelled("cancelled while it ran")
        case _:
            return Stopped()


def misfit(error: InvalidArguments) -> Ending:
    """Return the ending of a run whose stored arguments do not fit the code."""
    return Mismatched(RunError(type="InvalidArguments", message=str(error)))


def describe(error: BaseException) -> RunError:
    """Return ``error`` as text; never raises, whatever its ``__str__`` does."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - a broken __str__ must not hide the failure, nor end the loop of all jobs
        message = "(its text could not be read)"
    try:
        lines = "".join(traceback.format_exception(error, limit=-50))
    except BaseException:  # noqa: BLE001
        lines = ""
    return RunError(
        type=clean_text(name, 255),
        message=clean_text(message, MAX_MESSAGE),
        traceback=clean_text(lines[-MAX_TRACEBACK:], MAX_TRACEBACK),
    )


def is_lost(error: BaseException) -> bool:
    """Whether the job ended because its lease was lost: then there is nothing to write."""
    return isinstance(error, LeaseLost)


def log_failure(outcome: Outcome) -> None:
    """Say in the worker's own log that an attempt failed: a warning if there will be another, else an error.

    What was cancelled or has expired did not fail.
    """
    error, run = outcome.error, outcome.run
    if error is None or outcome.status == "CANCELLED":
        return
    limit = f" of {run.max_attempts}" if run.max_attempts else ""
    what = f"run {run.id} of {run.job} failed (attempt {run.attempt}{limit}): {error.type}: {error.message}"
    if outcome.status == "FAILED":
        logger.error("%s; it is not tried again\n%s", what, error.traceback or "")
    else:
        logger.warning("%s; tried again in %.0f s", what, outcome.delay_seconds)

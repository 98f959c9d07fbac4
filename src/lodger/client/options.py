"""The options of one enqueue, checked and turned into a NewRun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from lodger.errors import InvalidInput
from lodger.model.job import (
    ExecutorName,
    JobSpec,
    checked_executor,
    checked_name,
    checked_on_crash,
    checked_priority,
    checked_retry,
    checked_tags,
    checked_timeout,
)
from lodger.model.payload import encode
from lodger.model.retry import Retry
from lodger.model.run import NewRun, OnCrash
from lodger.model.unique import Unique
from lodger.settings import QUEUE_NAME

MAX_DELAY_SECONDS: Final = 366 * 86400.0
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9000
DEFAULT_ON: Final = (Exception,)


class Options(TypedDict, total=False):
    """What ``using`` takes; each overrides the job's own for one enqueue."""

    tx: object
    queue: str
    priority: int
    delay: float | timedelta
    run_at: datetime
    retry: Retry
    timeout: float | None
    unique: str | Unique
    tags: Sequence[str]
    meta: Mapping[str, Any]
    expires: float | timedelta
    executor: ExecutorName
    on_crash: OnCrash


def checked_options(options: Options) -> Options:
    """Return ``options``, or raise InvalidInput naming one that does not exist."""
    for name in options:
        if name not in Options.__annotations__:
            raise InvalidInput("option", name, ", ".join(Options.__annotations__))
    return options


def refuse_tx(options: Options) -> None:
    """Raise InvalidInput for a ``tx`` in a call that goes with others: it would be left out without a word."""
    tx = options.get("tx")
    if tx is not None:
        raise InvalidInput("tx", type(tx).__name__, "enqueue_many(calls, tx=...): all calls share one transaction")


def make_run(name: str, spec: JobSpec | None, args: str, options: Options, meta: dict[str, Any]) -> NewRun:
    """Return the run to insert, still without its id; raise InvalidInput naming the option that is wrong.

    ``spec`` is None for a job enqueued by name: its limits are then filled in where its code is.
    """
    if "delay" in options and "run_at" in options:
        raise InvalidInput("delay and run_at", (options["delay"], options["run_at"]), "one of them")
    # What the job itself says was checked when it was declared; here only what this call says.
    limits = checked_retry(options["retry"]) if "retry" in options else None
    limits = limits or (spec.retry if spec else None)
    tags = checked_tags(options["tags"]) if "tags" in options else spec.tags if spec else ()
    priority = checked_priority(options["priority"]) if "priority" in options else spec.priority if spec else 0
    return NewRun(
        id="",
        job=name,
        queue=_queue(options, spec),
        args=args,
        claim_rank=-priority,
        delay_seconds=_seconds("delay", options["delay"]) if "delay" in options else 0.0,
        run_at=_aware(options["run_at"]) if "run_at" in options else None,
        max_attempts=limits.max_attempts if limits else None,
        on_crash=_on_crash(options, spec),
        options=_overrides(options, spec) if options else None,
        meta=encode(meta, "meta") if meta else None,
        tags=encode(list(tags), "tags") if tags else None,
        unique=_unique(options["unique"]) if "unique" in options else None,
        expires_seconds=_seconds("expires", options["expires"]) if "expires" in options else None,
    )


def _queue(options: Options, spec: JobSpec | None) -> str:
    if "queue" in options:
        return checked_name("queue", options["queue"], QUEUE_NAME)
    return spec.queue if spec else "default"


def _on_crash(options: Options, spec: JobSpec | None) -> OnCrash | None:
    if "on_crash" in options:
        return checked_on_crash(options["on_crash"])  # type: ignore[return-value]
    return spec.on_crash if spec else None


def _overrides(options: Options, spec: JobSpec | None) -> str | None:
    """Return the options that the worker reads from the row."""
    found: dict[str, Any] = {}
    if "timeout" in options:
        found["timeout"] = checked_timeout(options["timeout"])
    if "executor" in options:
        is_async = spec.is_async if spec else options["executor"] == "asyncio"
        found["executor"] = checked_executor(options["executor"], is_async=is_async)
    retry = options.get("retry")
    if retry is not None:
        if retry.on != DEFAULT_ON:
            raise InvalidInput(
                "retry.on", retry.on, "the declaration of the job only: classes are not stored with a run"
            )
        found["retry"] = retry.to_json()
    return encode(found, "options") if found else None


def _seconds(field: str, value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise InvalidInput(field, value, "seconds or a timedelta, 0 to a year")
    return float(seconds)


def _aware(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidInput("run_at", value, "a datetime with a time zone, such as datetime.now(UTC)")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise InvalidInput("run_at", value, f"a time in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _unique(value: object) -> Unique:
    if isinstance(value, Unique):
        return value
    if isinstance(value, str):
        return Unique(key=value)
    raise InvalidInput("unique", value, "a key (text) or Unique(key=...)")

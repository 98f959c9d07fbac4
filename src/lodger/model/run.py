"""The values that travel: a run to insert, a run claimed, a run read back, an attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from lodger.model.status import Status
from lodger.model.unique import Unique

OnCrash: TypeAlias = Literal["retry", "fail"]


class NewRun(NamedTuple):
    """A run as enqueue hands it to the store. All JSON is text already checked and encoded.

    A tuple, as are the other values that are made by the thousand per second: a third of a dataclass's time.
    """

    id: str
    job: str
    queue: str
    args: str
    claim_rank: int = 0
    """The priority negated, so that every index is ascending."""
    delay_seconds: float = 0.0
    run_at: datetime | None = None
    """Aware; with neither delay nor run_at the run is QUEUED at once."""
    max_attempts: int | None = None
    """None: the worker that claims it takes the job's own (enqueued by name)."""
    on_crash: OnCrash | None = None
    options: str | None = None
    """What this run overrides of its job: timeout, executor, retry."""
    meta: str | None = None
    tags: str | None = None
    unique: Unique | None = None
    expires_seconds: float | None = None

    @property
    def is_scheduled(self) -> bool:
        """Whether the run waits for a time (the database's clock then says when it is due)."""
        return self.run_at is not None or self.delay_seconds > 0


class Inserted(NamedTuple):
    """What became of one NewRun: its own id, or the id of the holder of its unique key."""

    id: str
    created: bool


class ClaimedRun(NamedTuple):
    """A run that this worker may execute under ``fence`` (a tuple: thousands are made per second)."""

    id: str
    job: str
    queue: str
    fence: int
    attempt: int
    max_attempts: int | None
    on_crash: str | None
    crashes: int
    interruptions: int
    suspect: bool
    expired: bool
    args: str
    options: str | None
    meta: str | None
    checkpoint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is: ``done`` of ``total``, both in the job's own unit."""

    done: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunError:
    """Why an attempt failed, as plain text (never rebuilt into an exception)."""

    type: str
    message: str
    traceback: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """A run as it stands in the database. Times are aware UTC, set by the database's clock."""

    id: str
    job: str
    queue: str
    status: Status
    priority: int
    attempt: int
    max_attempts: int | None
    fence: int
    crashes: int
    interruptions: int
    lost: int
    args: Any
    meta: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    result: Any = None
    error: RunError | None = None
    progress: Progress | None = None
    checkpoint: Any = None
    cancel_requested: bool = False
    worker_id: str | None = None
    run_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try of a run that did not simply succeed the first time (that one is the run's own row)."""

    run_id: str
    fence: int
    attempt: int
    outcome: str
    worker_id: str | None
    started_at: datetime | None
    ended_at: datetime
    error: RunError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One line that a job wrote to its log."""

    fence: int
    at: datetime
    level: str
    message: str

"""What surrounds jobs: one protocol, every method optional."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from lodger.model.run import RunError


class RunInfo(Protocol):
    """What middleware may know of a run."""

    @property
    def id(self) -> str:
        """Return the run's id."""

    @property
    def job(self) -> str:
        """Return the job's name."""

    @property
    def queue(self) -> str:
        """Return the queue that the run came through."""

    @property
    def attempt(self) -> int:
        """Return which attempt this is, from 1."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Return the meta that the enqueuer attached."""


class Middleware:
    """Base class; override what you need. Order: the first in the list is the outermost."""

    def on_enqueue(self, job: str, meta: dict[str, Any]) -> None:
        """Fill ``meta`` (request id, tenant, trace) of a run about to be enqueued; JSON values only."""

    def around_attempt(self, run: RunInfo) -> AbstractContextManager[Any]:
        """Return a context manager that is entered around each attempt, in the job's own context."""
        return nullcontext()

    def on_failure(self, run: RunInfo, error: RunError, *, will_retry: bool) -> None:
        """Hear of a failed attempt. What this raises is logged and changes nothing."""

"""One attempt while it is under way in this process."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from lodger.errors import InvalidInput
from lodger.model.job import JobSpec, checked_executor, checked_timeout
from lodger.model.retry import Retry
from lodger.model.run import ClaimedRun
from lodger.worker.flight import Flight

logger: Final = logging.getLogger("lodger.worker")

RETRY_FIELDS: Final = frozenset(one.name for one in fields(Retry)) - {"on"}
"""Others in a row are a newer release's."""
NOWHERE: Final = Flight(0)
"""Records nothing: for the other side of a process executor."""

StopReason: TypeAlias = Literal["timeout", "cancel", "stop", "lost"]

current: Final[ContextVar[LiveRun | None]] = ContextVar("lodger_run", default=None)
"""The attempt that the running code belongs to (for logging)."""


class LiveRun:
    """A claimed run with the code that executes it. Flags are set by the engine and read by the job."""

    __slots__ = (
        "begun",
        "cancelled",
        "claimed",
        "completed",
        "executor",
        "flight",
        "handle",
        "lines",
        "logged",
        "lost",
        "memory_mb",
        "retry",
        "seat",
        "spec",
        "started",
        "stop_reason",
        "stopping",
        "timeout",
    )

    def __init__(self, claimed: ClaimedRun, spec: JobSpec, flight: Flight | None = None) -> None:
        """Join the row with its job; what the row overrides wins. ``flight`` records what happens to it."""
        self.flight = flight or NOWHERE
        self.begun = False
        self.claimed = claimed
        self.spec = spec
        self.retry: Retry = spec.retry
        self.timeout = spec.timeout
        self.executor: str = spec.executor
        self.memory_mb = spec.memory_mb
        self.stopping = False
        self.cancelled = False
        self.lost = False
        self.completed = False
        self.stop_reason: StopReason | None = None
        self.handle: Any = None
        self.lines = 0
        self.logged = 0
        self.started = time.monotonic()
        if claimed.options is not None:
            self._override(json.loads(claimed.options))
        if claimed.suspect:
            # It was there when a process died: alone in a process of its own, the next death names the guilty.
            self.executor = "process"
        self.seat = self.flight.board(claimed.id)  # last: what raises above must not hold one

    def _override(self, options: dict[str, Any]) -> None:
        self.timeout = checked_timeout(options.get("timeout", self.timeout))
        self.executor = self._fitting(options.get("executor", self.executor))
        self.memory_mb = options.get("memory_mb", self.memory_mb)
        if "retry" in options:
            known = {name: value for name, value in options["retry"].items() if name in RETRY_FIELDS}
            self.retry = replace(Retry(**known), on=self.spec.retry.on)

    def _fitting(self, executor: str) -> str:
        """Return ``executor``, or the job's own: who enqueues by name cannot know if the job is async."""
        try:
            return checked_executor(executor, is_async=self.spec.is_async)
        except InvalidInput as error:
            _say_once(self.spec.name, str(error))
            return self.spec.executor

    @property
    def key(self) -> tuple[str, int]:
        """Return (run id, fence): what names this attempt everywhere."""
        return self.claimed.id, self.claimed.fence

    @property
    def meta(self) -> dict[str, Any]:
        """Return the meta that the enqueuer attached."""
        return json.loads(self.claimed.meta) if self.claimed.meta else {}


@lru_cache(maxsize=256)
def _say_once(job: str, misfit: str) -> None:
    logger.warning("job %s: %s; runs that ask for it go to its own executor", job, misfit)

"""One attempt while it is under way in this process."""

from __future__ import annotations

import json
import time
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from lodger.model.job import JobSpec
from lodger.model.retry import Retry
from lodger.model.run import ClaimedRun
from lodger.worker.flight import Flight

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
        self.seat = self.flight.board(claimed.id)
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

    def _override(self, options: dict[str, Any]) -> None:
        self.timeout = options.get("timeout", self.timeout)
        self.executor = options.get("executor", self.executor)
        self.memory_mb = options.get("memory_mb", self.memory_mb)
        if "retry" in options:
            self.retry = replace(Retry(**options["retry"]), on=self.spec.retry.on)

    @property
    def key(self) -> tuple[str, int]:
        """Return (run id, fence): what names this attempt everywhere."""
        return self.claimed.id, self.claimed.fence

    @property
    def meta(self) -> dict[str, Any]:
        """Return the meta that the enqueuer attached."""
        return json.loads(self.claimed.meta) if self.claimed.meta else {}

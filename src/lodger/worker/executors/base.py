"""What every executor can do. Executors know no SQL and no retries: they run code and report endings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from lodger.model.outcome import Ending
from lodger.worker.attempt.live import LiveRun

Report: TypeAlias = Callable[[LiveRun, Ending], None]
"""Called from any thread, exactly once per submitted run (except when the executor was stopped)."""


class Executor(Protocol):
    """Runs attempts until they end or are stopped."""

    def start(self) -> None:
        """Be ready to run; raises what the app's worker lifespan raises."""

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Begin these attempts, in order."""

    def interrupt(self, live: LiveRun) -> None:
        """Stop one attempt because of ``live.stop_reason``, as hard as this executor can."""

    def stop(self, timeout_seconds: float) -> None:
        """End the executor and the worker lifespan; what still runs is abandoned after the time-out."""

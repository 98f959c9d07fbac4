"""The executors of one engine, and which of them runs what."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lodger.model.job import Registry
from lodger.model.outcome import Outcome
from lodger.settings import Settings
from lodger.worker.attempt.context import Desk, Run
from lodger.worker.attempt.live import LiveRun
from lodger.worker.attempt.runlog import RunLogHandler, install, uninstall
from lodger.worker.executors.asyncio import AsyncioExecutor
from lodger.worker.executors.base import Executor, Report
from lodger.worker.executors.process import ProcessExecutor
from lodger.worker.executors.thread import ThreadExecutor

logger: Final = logging.getLogger("lodger.worker")
STOP_SECONDS: Final = 5.0


class Crew:
    """Asyncio, thread and process executors behind one door."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        desk: Desk,
        report: Report,
        child_message: Mapping[str, Any],
        on_broken: Callable[[], None],
    ) -> None:
        """Prepare all three; each starts its threads and processes only when it is needed.

        ``on_broken`` is called, from any thread, when a job has stopped the loop of the async jobs.
        """
        self._registry = registry
        self._desk = desk
        self._loop = AsyncioExecutor(registry, desk, report, on_broken)
        self._needs_loop = registry.lifespan is not None or any(spec.is_async for spec in registry.jobs.values())
        self._processes = ProcessExecutor(
            desk,
            report,
            slots=settings.process_slots,
            recycle_runs=settings.recycle_runs,
            memory_mb=settings.memory_mb,
            first=child_message,
        )
        threads = ThreadExecutor(registry, desk, report, settings.concurrency, lambda: self._loop.res)
        self._executors: dict[str, Executor] = {
            "asyncio": self._loop,
            "thread": threads,
            "process": self._processes,
        }
        self._log = RunLogHandler(desk.log)

    def start(self) -> None:
        """Enter the worker lifespan; raises what it raises."""
        install(self._log)
        if self._needs_loop:
            self._loop.start()

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Hand each attempt to its executor, in order."""
        for name, executor in self._executors.items():
            share = [live for live in batch if live.executor == name]
            if share:
                executor.submit(share)

    def submit_one(self, live: LiveRun) -> None:
        """Hand one attempt to its executor."""
        self._executors[live.executor].submit((live,))

    def interrupt(self, live: LiveRun) -> None:
        """Stop one attempt for its ``stop_reason``."""
        self._executors[live.executor].interrupt(live)

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Kill a process of the process executor, with what it has started."""
        self._processes.kill_job(leader, pids, why)

    def notify_stopping(self) -> None:
        """Pass ``stopping`` on to jobs in other processes (here they share the flag)."""
        self._processes.notify_stopping()

    def tell_failure(self, live: LiveRun, outcome: Outcome) -> None:
        """Let the middleware hear of a failed attempt; what it raises is logged."""
        for middleware in self._registry.middleware:
            try:
                run: Run[Any] = Run(live, self._desk, None)
                assert outcome.error is not None
                middleware.on_failure(run, outcome.error, will_retry=not outcome.status.is_terminal)
            except Exception:
                logger.exception("middleware %s.on_failure", type(middleware).__name__)

    def stop(self) -> None:
        """Leave the worker lifespan and end all threads and processes."""
        for executor in self._executors.values():
            executor.stop(STOP_SECONDS)
        uninstall(self._log)

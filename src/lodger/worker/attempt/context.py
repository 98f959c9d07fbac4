"""What a job sees of its own run: ``Run`` in async jobs, ``SyncRun`` in plain ones.

Everything it writes is fenced: when the run belongs to somebody else by now, LeaseLost is raised and the
job should stop; whatever it does from then on counts for nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol

from lodger.errors import InvalidInput, LeaseLost
from lodger.model.payload import clean_text, encode
from lodger.worker.attempt.live import LiveRun

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Res = TypeVar("Res", covariant=True, default=None)  # noqa: PLC0105 - read in annotations as Run[Res]
else:  # the default is for type checkers; the module that knows it takes longer to import than this one
    from typing import TypeVar

    Res = TypeVar("Res", covariant=True)  # noqa: PLC0105

MAX_PROGRESS_MESSAGE: Final = 500
LOOK_SECONDS: Final = 1.0
"""How often a job that waits for its checkpoint looks if the lease is lost; between the looks it can be stopped."""


class Waitable(Protocol):
    """A write that will be confirmed (concurrent.futures.Future fits)."""

    def result(self, timeout: float | None = None) -> Any:
        """Return when the write is committed, or raise what became of it."""


class Desk(Protocol):
    """Takes what a job writes; the engine's own, or the one in a process executor's child."""

    def progress(self, live: LiveRun, text: str) -> None:
        """Write progress soon; only the last of several is kept."""

    def save(self, live: LiveRun, text: str) -> Any:
        """Write a checkpoint; return a concurrent Future that ends with the commit."""

    def log(self, live: LiveRun, level: str, text: str) -> None:
        """Append a line to the run's log soon."""

    def complete(self, live: LiveRun, tx: object) -> Any:
        """Return the completion for ``complete_in`` on the app's transaction ``tx``."""


class Done:
    """Handed out by ``complete_in``: call it to set the run's result before the commit."""

    def __init__(self) -> None:
        """Begin with no result."""
        self.result: Any = None

    def __call__(self, result: Any) -> None:
        """Set the result of the run."""
        self.result = result


class _Context(Generic[Res]):
    """What both kinds of run share."""

    def __init__(self, live: LiveRun, desk: Desk, res: Any) -> None:
        """Show ``live`` to its job; ``res`` is what the worker's lifespan yielded."""
        self._live = live
        self._desk = desk
        self._res = res
        self._checkpoint: Any = json.loads(live.claimed.checkpoint) if live.claimed.checkpoint else None
        self.log = logging.getLogger(f"lodger.job.{live.claimed.job}")

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._live.claimed.id

    @property
    def job(self) -> str:
        """Return the job's name."""
        return self._live.claimed.job

    @property
    def queue(self) -> str:
        """Return the queue that the run came through."""
        return self._live.claimed.queue

    @property
    def attempt(self) -> int:
        """Return which attempt this is, from 1."""
        return self._live.claimed.attempt

    @property
    def max_attempts(self) -> int:
        """Return how many attempts there may be."""
        return self._live.claimed.max_attempts or self._live.retry.max_attempts

    @property
    def fence(self) -> int:
        """Return the fence of this attempt: only grows, fit for guarding writes to systems of your own."""
        return self._live.claimed.fence

    @property
    def meta(self) -> dict[str, Any]:
        """Return the meta that the enqueuer attached."""
        return self._live.meta

    @property
    def res(self) -> Res:
        """Return what the worker's lifespan yielded."""
        return self._res  # type: ignore[no-any-return]

    @property
    def checkpoint(self) -> Any:
        """Return what was last saved, by this attempt or an earlier one; None when nothing was."""
        return self._checkpoint

    @property
    def stopping(self) -> bool:
        """Whether the worker is about to stop: save and raise Interrupted, or end soon."""
        return self._live.stopping

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled this run."""
        return self._live.cancelled

    def _report(self, done: float, total: float | None, message: str | None) -> None:
        self._check_lease()
        for name, value in (("done", done), ("total", total)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise InvalidInput(f"progress {name}", value, "a number")
        shown = clean_text(message, MAX_PROGRESS_MESSAGE) if message else None
        self._desk.progress(self._live, encode({"done": done, "total": total, "message": shown}, "progress"))

    def _start_save(self, value: Any) -> Any:
        self._check_lease()
        text = encode(value, "checkpoint")
        pending = self._desk.save(self._live, text)
        self._checkpoint = json.loads(text)
        return pending

    def _check_lease(self) -> None:
        if self._live.lost:
            raise LeaseLost(*self._live.key)


class Run(_Context[Res]):
    """The run that an async job belongs to."""

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Show how far the run is. Cheap: written at most twice a second, only the last one counts."""
        self._report(done, total, message)

    async def save(self, value: Any) -> None:
        """Save a checkpoint (JSON); when this returns, it is committed. Raises LeaseLost."""
        import asyncio  # a fifth of the import time of a web app that has none

        await asyncio.wrap_future(self._start_save(value))

    @asynccontextmanager
    async def complete_in(self, tx: object) -> AsyncIterator[Done]:
        """Commit the app's own writes in ``tx`` and SUCCEEDED together, exactly once.

        Write inside the block; at its end the run is marked SUCCEEDED in the same transaction and ``tx`` is
        committed. Set the result with ``done(value)``; what the job returns afterwards is not kept. Raises
        LeaseLost, with the app's writes rolled back, when the run belongs to somebody else by now.
        """
        self._check_lease()
        completion = self._desk.complete(self._live, tx)
        done = Done()
        try:
            yield done
            await completion.acommit(done.result)
        except BaseException:
            await completion.arollback()
            raise


class SyncRun(_Context[Res]):
    """The run that a plain (``def``) job belongs to."""

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Show how far the run is. Cheap: written at most twice a second, only the last one counts."""
        self._report(done, total, message)

    def save(self, value: Any) -> None:
        """Save a checkpoint (JSON); when this returns, it is committed. Raises LeaseLost."""
        pending = self._start_save(value)
        while True:
            try:
                pending.result(LOOK_SECONDS)
            except TimeoutError:  # the database is away, which is not the job's fault
                self._check_lease()
            else:
                return

    @contextmanager
    def complete_in(self, tx: object) -> Iterator[Done]:
        """Commit the app's own writes in ``tx`` and SUCCEEDED together; see ``Run.complete_in``."""
        self._check_lease()
        completion = self._desk.complete(self._live, tx)
        done = Done()
        try:
            yield done
            completion.commit(done.result)
        except BaseException:
            completion.rollback()
            raise

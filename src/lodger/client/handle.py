"""The handle of one run, as enqueue returns it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lodger.errors import ResultTimeout, ResultUnavailable, RunCancelled, RunFailed
from lodger.model.payload import decode
from lodger.model.status import Status

if TYPE_CHECKING:
    from lodger.client.gateway import Gateway
    from lodger.model.arguments import Result
    from lodger.model.run import RunRecord

R = TypeVar("R")

FIRST_POLL_SECONDS: Final = 0.01
MAX_POLL_SECONDS: Final = 0.5


class RunHandle(Generic[R]):
    """Ask about one run and act on it."""

    __slots__ = ("_gateway", "_result", "created", "id", "job", "queue")

    def __init__(
        self, gateway: Gateway, run_id: str, job: str, queue: str, *, created: bool, result: Result | None
    ) -> None:
        """``result`` knows the job's return annotation; None for a job enqueued by name."""
        self._gateway = gateway
        self._result = result
        self.id = run_id
        self.job = job
        self.queue = queue
        self.created = created
        """False: another run holds the unique key, and this is its handle."""

    def __repr__(self) -> str:
        """Return job and id."""
        return f"RunHandle({self.job}, {self.id})"

    def refresh(self) -> RunRecord:
        """Return the run as it stands now; raises RunNotFound."""
        return self._gateway.get(self.id)

    async def arefresh(self) -> RunRecord:
        """Return the run as it stands now; raises RunNotFound."""
        return await self._gateway.aget(self.id)

    def status(self) -> Status:
        """Return the status now."""
        return self._gateway.poll(self.id)[0]

    async def astatus(self) -> Status:
        """Return the status now."""
        return (await self._gateway.apoll(self.id))[0]

    def result(self, timeout: float | None = None) -> R:
        """Wait for the end and return what the job returned.

        Raises ResultTimeout after ``timeout`` seconds, RunFailed, RunCancelled.
        """
        for pause in _pauses(timeout):
            answer = self._gateway.poll(self.id)
            if answer[0].is_terminal:
                return self._settle(*answer)
            time.sleep(pause)
        raise ResultTimeout(self.id, f"has not ended within {timeout:g} s")

    async def aresult(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 - the same meaning as result()
        """Wait for the end and return what the job returned; see ``result``."""
        import asyncio

        for pause in _pauses(timeout):
            answer = await self._gateway.apoll(self.id)
            if answer[0].is_terminal:
                return self._settle(*answer)
            await asyncio.sleep(pause)
        raise ResultTimeout(self.id, f"has not ended within {timeout:g} s")

    def cancel(self, *, force: bool = False) -> Status:
        """Cancel the run; return its status now (RUNNING: it was asked to stop). Raises WrongStatus."""
        return self._gateway.cancel(self.id, force=force)

    async def acancel(self, *, force: bool = False) -> Status:
        """Cancel the run; see ``cancel``."""
        return await self._gateway.acancel(self.id, force=force)

    def retry(self) -> None:
        """Queue the ended run again with one more attempt. Raises WrongStatus."""
        self._gateway.retry(self.id)

    async def aretry(self) -> None:
        """Queue the ended run again with one more attempt. Raises WrongStatus."""
        await self._gateway.aretry(self.id)

    def _settle(self, status: Status, result: str | None, error: str | None) -> R:
        if status is Status.FAILED:
            raise RunFailed(self.id, f"of {self.job} failed: {_shown(error)}")
        if status is Status.CANCELLED:
            raise RunCancelled(self.id, f"of {self.job} was cancelled: {_shown(error)}")
        try:
            value: Any = decode(result) if self._result is None else self._result.load(result)
        except ValueError as misfit:  # the job returned what its annotation denies, or another release did
            told = f"of {self.job}: its result does not fit the annotation: {misfit}"
            raise ResultUnavailable(self.id, told) from misfit
        return value  # type: ignore[no-any-return]


def _shown(error: str | None) -> str:
    told = decode(error)
    return f"{told['type']}: {told['message']}" if told else "before it started"


def _pauses(timeout: float | None) -> Iterator[float]:
    """Yield the pauses between looks, growing, until ``timeout`` has passed; at least one look."""
    end = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_POLL_SECONDS
    while True:
        left = MAX_POLL_SECONDS if end is None else end - time.monotonic()
        yield max(0.0, min(pause, left))
        if end is not None and time.monotonic() >= end:
            return
        pause = min(pause * 1.5, MAX_POLL_SECONDS)

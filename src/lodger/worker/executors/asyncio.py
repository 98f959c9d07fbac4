"""Async jobs, on one event loop in a thread of its own: user code can block it, never the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from lodger.model.job import Registry
from lodger.worker.attempt import endings
from lodger.worker.attempt.context import Desk
from lodger.worker.attempt.invoke import invoke_async
from lodger.worker.attempt.live import LiveRun
from lodger.worker.executors.base import Report


class AsyncioExecutor:
    """Runs coroutines and holds what the app's worker lifespan yielded."""

    def __init__(self, registry: Registry, desk: Desk, report: Report, on_broken: Callable[[], None]) -> None:
        """Prepare; nothing runs before ``start``. ``on_broken`` is called when a job has stopped the loop."""
        self._registry = registry
        self._desk = desk
        self._report = report
        self._on_broken = on_broken
        self.res: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._leave: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._main, name="lodger-asyncio", daemon=True)

    def start(self) -> None:
        """Start the loop, enter the worker lifespan; raise what it raised."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Begin these attempts, in order."""
        if threading.get_ident() == self._thread.ident:  # a slot was freed on the loop itself
            self._begin(batch)
        else:
            self._call(self._begin, batch)

    def interrupt(self, live: LiveRun) -> None:
        """Cancel the attempt's task."""
        self._call(self._cancel, live)

    def stop(self, timeout_seconds: float) -> None:
        """Leave the worker lifespan and end the loop; tasks that ignore their cancellation are abandoned."""
        if self._loop is not None and self._leave is not None and self._thread.is_alive():
            self._call(self._leave.set)
            self._thread.join(timeout_seconds)

    def _call(self, function: Any, *args: Any) -> None:
        assert self._loop is not None
        try:  # noqa: SIM105 - suppress would cost a context manager per batch
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            pass  # the loop has ended while we were about to call it

    def _main(self) -> None:
        runner = asyncio.Runner()
        try:
            runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - handed to whoever starts the executor
            if self._ready.is_set():
                # Closing the loop would end the attempts one by one, as if each had failed of itself.
                self._on_broken()
                return
            self._failure = error
        finally:
            self._ready.set()
        runner.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        async with AsyncExitStack() as stack:
            if self._registry.lifespan is not None:
                self.res = await stack.enter_async_context(asynccontextmanager(self._registry.lifespan)())
            self._ready.set()
            await self._leave.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, batch: Sequence[LiveRun]) -> None:
        assert self._loop is not None
        for live in batch:
            if live.stop_reason is not None:  # stopped on its way here
                self._report(live, endings.stopped(live))
                continue
            task = self._loop.create_task(self._attempt(live))
            live.handle = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attempt(self, live: LiveRun) -> None:
        self._report(live, await invoke_async(live, self._registry, self._desk, self.res))

    def _cancel(self, live: LiveRun) -> None:
        if live.handle is not None and not live.handle.done():
            live.handle.cancel()

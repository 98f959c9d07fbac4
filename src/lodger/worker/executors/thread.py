"""Plain jobs, each in a thread of a fixed pool.

A thread cannot be killed. When an attempt must stop (timeout, cancel), JobStopped is raised inside it at
its next line of Python; until then the run stays RUNNING and its slot stays taken, so nothing overlaps.
Code that sits in a C call for ever needs ``executor="process"``.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from lodger.model.job import Registry
from lodger.model.outcome import Ending
from lodger.worker import endings
from lodger.worker.context import Desk
from lodger.worker.executors.base import Report
from lodger.worker.invoke import invoke_sync
from lodger.worker.live import LiveRun


class ThreadExecutor:
    """A pool of ``size`` threads, started one by one as they are needed."""

    def __init__(self, registry: Registry, desk: Desk, report: Report, size: int, res: Callable[[], Any]) -> None:
        """Prepare; ``res`` gives what the worker lifespan yielded."""
        self._registry = registry
        self._desk = desk
        self._report = report
        self._size = size
        self._res = res
        self._inbox: queue.SimpleQueue[LiveRun | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._guard = threading.Lock()

    def start(self) -> None:
        """Nothing to do: threads start with the work."""

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Begin these attempts, in order."""
        with self._guard:
            self._busy += len(batch)
            while len(self._threads) < min(self._busy, self._size):
                name = f"lodger-thread-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        for live in batch:
            self._inbox.put(live)

    def interrupt(self, live: LiveRun) -> None:
        """Raise JobStopped inside the attempt's thread, if its job's code is running."""
        with self._guard:
            if live.handle is not None:
                raise_in_thread(live.handle, endings.JobStopped)

    def stop(self, timeout_seconds: float) -> None:
        """Let the idle threads end; busy ones are daemons and end with the process."""
        for _ in self._threads:
            self._inbox.put(None)

    def _work(self) -> None:
        while True:
            live = self._inbox.get()
            if live is None:
                return
            self._attempt(live)

    def _attempt(self, live: LiveRun) -> None:
        def entered() -> None:
            live.handle = threading.get_ident()

        ending: Ending | None = None
        try:
            ending = invoke_sync(live, self._registry, self._desk, self._res(), entered)
        except BaseException as error:  # noqa: BLE001 - JobStopped can arrive as the job is just returning
            ending = endings.raised(live, error)
        while not self._leave(live):
            pass
        self._report(live, ending or endings.stopped(live))

    def _leave(self, live: LiveRun) -> bool:
        """Give the thread back; once the guard is ours, nobody raises anything in it any more."""
        try:
            with self._guard:
                live.handle = None
                self._busy -= 1
                return True
        except endings.JobStopped:
            return False


def raise_in_thread(thread_id: int, error: type[BaseException]) -> None:
    """Raise ``error`` in another thread at its next bytecode (PyThreadState_SetAsyncExc of the C API)."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))

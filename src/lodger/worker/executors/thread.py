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
from lodger.worker.attempt import endings
from lodger.worker.attempt.context import Desk
from lodger.worker.attempt.invoke import invoke_sync
from lodger.worker.attempt.live import LiveRun
from lodger.worker.executors.base import Report


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
        self._busy: set[tuple[str, int]] = set()
        self._guard = threading.Lock()

    def start(self) -> None:
        """Nothing to do: threads start with the work."""

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Begin these attempts, in order."""
        with self._guard:
            self._busy.update(live.key for live in batch)
            while len(self._threads) < min(len(self._busy), self._size):
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
            with self._guard:
                live.handle = threading.get_ident()
                if live.stop_reason is not None:  # stopped before there was a thread to stop
                    raise endings.JobStopped

        ending: Ending | None = None
        while True:  # a second time when JobStopped arrives just as the job has ended, wherever we are by then
            try:
                if ending is None:
                    ending = invoke_sync(live, self._registry, self._desk, self._res(), entered)
                self._leave(live)
                break
            except BaseException as error:  # noqa: BLE001 - see above
                live.handle = None  # before anything else: what is raised in here would end the thread
                ending = endings.raised(live, error) if ending is None else ending
        self._report(live, ending)

    def _leave(self, live: LiveRun) -> None:
        """Give the thread back, safe to repeat; from then on nobody raises anything in it any more."""
        with self._guard:
            live.handle = None
            self._busy.discard(live.key)


def raise_in_thread(thread_id: int, error: type[BaseException]) -> None:
    """Raise ``error`` in another thread at its next bytecode (PyThreadState_SetAsyncExc of the C API)."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))

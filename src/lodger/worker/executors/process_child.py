"""The other side of the process executor: a fresh interpreter that runs one attempt at a time.

Started as ``python -m lodger.worker.executors.process_child <fd>``. Plain jobs run in the main thread,
async ones on a loop in a thread; a reader thread hears what the engine says. When the engine is gone, the
channel ends and the process kills its whole group, children of the job included.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from concurrent.futures import Future
from typing import Any, Final

from lodger.errors import LeaseLost
from lodger.model.outcome import Ending
from lodger.processes.manners import be_patient
from lodger.processes.signals import disregard
from lodger.processes.spawn import Channel, accept, die_with_parent
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.worker.attempt import endings
from lodger.worker.attempt.completion import Completion
from lodger.worker.attempt.invoke import invoke_sync
from lodger.worker.attempt.live import LiveRun
from lodger.worker.attempt.runlog import RunLogHandler, install
from lodger.worker.executors.asyncio import AsyncioExecutor
from lodger.worker.executors.thread import raise_in_thread
from lodger.worker.executors.wire import claimed_in, ending_out
from lodger.worker.loading import load_app

EXIT_BROKEN: Final = 4


class ChildDesk:
    """Passes what a job writes on to the engine, which holds the database connection."""

    def __init__(self, channel: Channel, database: Database) -> None:
        """``database`` is opened only by ``complete_in``, for checking the app's transaction."""
        self._channel = channel
        self._database = database
        self._guard = threading.Lock()
        self._saves: dict[int, Future[None]] = {}

    def tell(self, **message: Any) -> None:
        """Send one message; threads take turns. When it can't be sent the engine will never know: end."""
        with self._guard:
            if not self._channel.send(message):
                os.killpg(0, signal.SIGKILL)

    def progress(self, live: LiveRun, text: str) -> None:
        """Pass progress on."""
        self.tell(t="progress", text=text)

    def save(self, live: LiveRun, text: str) -> Future[None]:
        """Pass a checkpoint on; the future ends when the engine has committed it."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # else a job whose wait is cancelled makes the answer an error
        number = id(future)
        self._saves[number] = future
        self.tell(t="save", number=number, text=text)
        return future

    def saved(self, number: int, error: str | None, live: LiveRun | None) -> None:
        """Tell the waiting job what became of its checkpoint."""
        future = self._saves.pop(number)
        if error is None:
            future.set_result(None)
        elif error == "lost" and live is not None:
            live.lost = True
            future.set_exception(LeaseLost(*live.key))
        else:
            future.set_exception(RuntimeError(error))

    def log(self, live: LiveRun, level: str, text: str) -> None:
        """Pass a log line on."""
        self.tell(t="log", level=level, text=text)

    def complete(self, live: LiveRun, tx: object) -> Completion:
        """Open the app's transaction."""
        return Completion(live, tx, self._database)


class ProcessChild:
    """Runs what the engine sends until it says quit."""

    def __init__(self, channel: Channel, first: dict[str, Any]) -> None:
        """Import the app and enter its worker lifespan."""
        self._channel = channel
        self._app = load_app(first["app"], first["path"])
        self._registry = self._app.registry
        database = Database(first["url"], tables=Tables(**first["tables"]))
        self._desk = ChildDesk(channel, database)
        self._inbox: list[dict[str, Any] | None] = []
        self._news = threading.Condition()
        self._live: LiveRun | None = None
        self._ended = threading.Event()
        self._ending: Ending | None = None
        install(RunLogHandler(self._desk.log))
        self._loop: AsyncioExecutor | None = None
        if self._registry.lifespan is not None:
            self._start_loop()

    def serve(self) -> None:
        """Run attempts one after the other."""
        threading.Thread(target=self._listen, name="lodger-engine", daemon=True).start()
        self._desk.tell(t="ready")
        while (message := self._wait_for_run()) is not None:
            live = LiveRun(claimed_in(message["run"]), self._registry.jobs[message["job"]])
            self._live = live
            ending = self._attempt(live)
            self._live = None
            self._desk.tell(t="end", ending=ending_out(ending), completed=live.completed, lost=live.lost)
        if self._loop is not None:
            self._loop.stop(5.0)

    def _wait_for_run(self) -> dict[str, Any] | None:
        while True:
            try:
                return self._next()
            except endings.JobStopped:  # a cancel that came when its job had just ended
                continue

    def _attempt(self, live: LiveRun) -> Ending:
        try:
            if live.spec.is_async:
                return self._attempt_on_loop(live)
            res = self._loop.res if self._loop is not None else None
            return invoke_sync(live, self._registry, self._desk, res, lambda: None)
        except BaseException as error:  # noqa: BLE001 - JobStopped can arrive as the job is just returning
            return endings.raised(live, error)

    def _attempt_on_loop(self, live: LiveRun) -> Ending:
        self._start_loop()
        assert self._loop is not None
        self._ended.clear()
        self._loop.submit([live])
        self._ended.wait()
        assert self._ending is not None
        return self._ending

    def _start_loop(self) -> None:
        if self._loop is None:
            self._loop = AsyncioExecutor(self._registry, self._desk, self._on_loop_end, _end_broken)
            self._loop.start()

    def _on_loop_end(self, live: LiveRun, ending: Ending) -> None:
        self._ending = ending
        self._ended.set()

    def _next(self) -> dict[str, Any] | None:
        with self._news:
            self._news.wait_for(lambda: self._inbox)
            return self._inbox.pop(0)

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.recv()
            except EOFError:
                os.killpg(0, signal.SIGKILL)
                return
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        live = self._live
        match message["t"]:
            case "run":
                self._put(message)
            case "quit":
                self._put(None)
            case "saved":
                self._desk.saved(message["number"], message["error"], live)
            case "stopping" if live is not None:
                live.stopping = True
            case "cancel" if live is not None:
                self._cancel(live)

    def _cancel(self, live: LiveRun) -> None:
        live.cancelled = True
        live.stop_reason = "cancel"
        if live.spec.is_async and self._loop is not None:
            self._loop.interrupt(live)
        else:
            main = threading.main_thread().ident
            assert main is not None
            raise_in_thread(main, endings.JobStopped)

    def _put(self, message: dict[str, Any] | None) -> None:
        with self._news:
            self._inbox.append(message)
            self._news.notify()


def _end_broken() -> None:
    """End this process: its job has stopped the event loop it ran on."""
    os._exit(EXIT_BROKEN)


def main() -> None:
    """Run the child until the engine lets it go."""
    # Ctrl-C in a terminal, and the stop of a service manager that signals every process: the engine decides.
    disregard(signal.SIGINT, signal.SIGTERM)
    die_with_parent()
    channel, first = accept(sys.argv)
    be_patient(first["priority"])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    ProcessChild(channel, first).serve()


if __name__ == "__main__":
    main()

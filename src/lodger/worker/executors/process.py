"""Jobs in processes of their own: killable, with hard timeouts and memory ceilings.

One manager thread owns all children and talks to them over their channels. A child is a fresh interpreter
that has imported the app; it is kept for the next run, and replaced after ``recycle_runs`` runs, after a
suspect's run, or when it was killed.

    starting ──ready──▶ idle ──run──▶ busy ──end──▶ idle      killed or died: gone, its run gets its ending
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from lodger.errors import LeaseLost
from lodger.model.outcome import Crashed, Ending, Raised
from lodger.model.run import RunError
from lodger.processes.ends import exit_text, kill_group
from lodger.processes.spawn import Channel, spawn
from lodger.processes.table import resident_bytes
from lodger.worker.attempt import endings
from lodger.worker.attempt.context import Desk
from lodger.worker.attempt.live import LiveRun
from lodger.worker.executors.base import Report
from lodger.worker.executors.throttle import Throttle
from lodger.worker.executors.wire import claimed_out, ending_in

logger: Final = logging.getLogger("lodger.worker")

CHILD_MODULE: Final = "lodger.worker.executors.process_child"
SAMPLE_SECONDS: Final = 0.25
CANCEL_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 300.0
LEAVE_SECONDS: Final = 10.0
MAX_FAILED_STARTS: Final = 3
BACKOFF_SECONDS: Final = 1.0
START_SECONDS: Final = 60.0
"""A process that has not imported the app by then never will."""


class Child:
    """One process of the pool."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        """Begin as starting."""
        self.process = process
        self.channel = channel
        self.ready = False
        self.live: LiveRun | None = None
        self.runs = 0
        self.memory = 0
        self.ceiling_mb = 0
        self.over_memory = False
        self.killed_for = ""
        self.kill_at: float | None = None
        self.deadline: float | None = None
        self.idle_since = time.monotonic()

    @property
    def is_over_memory(self) -> bool:
        """Whether its run has used more than it may."""
        return bool(self.ceiling_mb) and self.memory > self.ceiling_mb * 2**20


class ProcessExecutor:
    """A pool of at most ``slots`` processes."""

    def __init__(
        self, desk: Desk, report: Report, *, slots: int, recycle_runs: int, memory_mb: int, first: Mapping[str, Any]
    ) -> None:
        """Prepare; ``first`` is what a child is told first (app, path, database). Children start with the work."""
        self._desk = desk
        self._report = report
        self._slots = slots
        self._recycle_runs = recycle_runs
        self._memory_mb = memory_mb
        self._first = first
        self._inbox: deque[LiveRun] = deque()
        self._interrupts: deque[LiveRun] = deque()
        self._kills: deque[tuple[int, Sequence[int], str]] = deque()
        self._answers: deque[tuple[Child, dict[str, Any]]] = deque()
        self._children: list[Child] = []
        self._failed_starts = 0
        self._start_after = 0.0
        self._stopping = False
        self._tells_stopping = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._main, name="lodger-processes", daemon=True)
        self._started = False
        self._throttle = Throttle(self._busy) if first.get("priority") == "idle" else None

    def _busy(self) -> list[int]:
        return [child.process.pid for child in list(self._children) if child.live is not None]

    def start(self) -> None:
        """Nothing to do: the manager starts with the first run."""

    def submit(self, batch: Sequence[LiveRun]) -> None:
        """Begin these attempts, in order, as processes are free."""
        self._inbox.extend(batch)
        if not self._started:
            self._started = True
            self._thread.start()
            if self._throttle is not None:
                self._throttle.start()
        self._wake()

    def interrupt(self, live: LiveRun) -> None:
        """Stop one attempt: a cancel is told first and killed after two seconds, all else is killed at once."""
        self._interrupts.append(live)
        self._wake()

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Kill a child and what it has started, groups of their own included; ``why`` is what its run crashed of."""
        self._kills.append((leader, pids, why))
        self._wake()

    def stop(self, timeout_seconds: float) -> None:
        """Kill what still runs, let idle children leave."""
        self._stopping = True
        self._wake()
        if self._throttle is not None:
            self._throttle.stop()
        if self._started:
            self._thread.join(timeout_seconds)
        if not self._thread.is_alive():
            self._close_pipe()

    def _close_pipe(self) -> None:
        ends = self._wake_read, self._wake_write
        self._wake_read = self._wake_write = -1  # for threads that wake us yet: the numbers may soon be a stranger's
        for end in ends:
            if end >= 0:
                os.close(end)

    def _wake(self) -> None:
        try:  # noqa: SIM105 - on the path of each run
            os.write(self._wake_write, b"\0")
        except OSError:
            pass  # the pipe is full: it is awake already; or closed: it has ended

    def _main(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception:
                logger.exception("process executor")
                time.sleep(BACKOFF_SECONDS)
        self._end_children()

    def _turn(self) -> None:
        """One round: hear the children, then act."""
        by_connection = {child.channel.connection: child for child in self._children}
        for ready in wait([*by_connection, self._wake_read], self._patience()):
            if isinstance(ready, Connection):
                self._hear(by_connection[ready])
            else:
                os.read(self._wake_read, 4096)
        self._send_answers()
        self._tell_stopping()
        self._act_on_interrupts()
        self._act_on_kills()
        self._watch()
        self._assign()

    def _patience(self) -> float | None:
        if any(child.live is not None for child in self._children) or self._inbox:
            now = time.monotonic()
            ends = [child.deadline - now for child in self._children if child.live and child.deadline]
            return max(0.0, min([SAMPLE_SECONDS, *ends]))
        return IDLE_SECONDS if self._children else None

    def _assign(self) -> None:
        """Give waiting runs to idle children; start children while there are slots."""
        while self._inbox:
            live = self._inbox[0]
            if live.stop_reason is not None:
                self._report(self._inbox.popleft(), endings.stopped(live))
                continue
            child = self._idle_child(fresh=live.claimed.suspect)
            if child is None:
                break
            child.memory = resident_bytes(child.process.pid)
            child.ceiling_mb = live.memory_mb or self._memory_mb
            if child.runs and child.is_over_memory:  # what earlier runs have left there is no fault of this one
                self._let_go(child)
                continue
            self._inbox.popleft()
            child.live = live
            live.flight.begin(live.seat)
            child.runs += 1
            child.deadline = None if live.timeout is None else time.monotonic() + live.timeout
            child.channel.send({"t": "run", "job": live.spec.name, "run": claimed_out(live.claimed)})
            if live.stopping:
                child.channel.send({"t": "stopping"})
        starting = sum(not child.ready for child in self._children)
        if len(self._inbox) > starting and len(self._children) < self._slots and time.monotonic() >= self._start_after:
            self._children.append(Child(*spawn(CHILD_MODULE, self._first, new_session=False)))

    def _idle_child(self, *, fresh: bool) -> Child | None:
        idle = [child for child in self._children if child.ready and child.live is None]
        if fresh:
            used = [child for child in idle if child.runs]
            idle = [child for child in idle if not child.runs]
            if not idle and used and len(self._children) >= self._slots:
                self._let_go(used[0])  # make room for one that has run nothing yet
        return idle[0] if idle else None

    def _hear(self, child: Child) -> None:
        try:
            message = child.channel.recv()
        except EOFError:
            self._bury(child)
            return
        live = child.live
        match message["t"]:
            case "ready":
                child.ready = True
                child.idle_since = time.monotonic()
                self._failed_starts = 0
            case "progress" if live is not None:
                self._desk.progress(live, message["text"])
            case "log" if live is not None:
                self._desk.log(live, message["level"], message["text"])
            case "save" if live is not None:
                self._save(child, live, message)
            case "end" if live is not None:
                self._end(child, live, message)

    def _save(self, child: Child, live: LiveRun, message: dict[str, Any]) -> None:
        number = message["number"]

        def answer(future: Future[None]) -> None:
            error = future.exception()
            told = None if error is None else "lost" if isinstance(error, LeaseLost) else str(error)
            self._answers.append((child, {"t": "saved", "number": number, "error": told}))
            self._wake()

        self._desk.save(live, message["text"]).add_done_callback(answer)

    def _send_answers(self) -> None:
        while self._answers:
            child, message = self._answers.popleft()
            child.channel.send(message)

    def _end(self, child: Child, live: LiveRun, message: dict[str, Any]) -> None:
        live.completed = message["completed"]
        live.lost = live.lost or message["lost"]
        child.live, child.kill_at, child.idle_since = None, None, time.monotonic()
        if child.runs >= self._recycle_runs or live.claimed.suspect or child.over_memory or child.killed_for:
            self._let_go(child)
        self._report(live, ending_in(message["ending"]))

    def _bury(self, child: Child) -> None:
        """A child is gone: its run, if any, gets its ending from the exit status."""
        kill_group(child.process.pid)
        code = child.process.wait()
        child.channel.close()
        self._children.remove(child)
        live = child.live
        if live is not None:
            self._report(live, _ending_of_death(child, live, code))
        elif not child.ready:
            self._note_failed_start(exit_text(code))

    def _note_failed_start(self, how: str) -> None:
        """Wait longer after each child that died before it was ready; then fail the run at the head."""
        self._failed_starts += 1
        self._start_after = time.monotonic() + BACKOFF_SECONDS * self._failed_starts
        logger.error("a process of the process executor could not start (%s)", how)
        if self._failed_starts >= MAX_FAILED_STARTS and self._inbox:
            error = RunError(type="ProcessNotStarted", message=f"the process for this run could not start: {how}")
            self._report(self._inbox.popleft(), Raised(error, retryable=True))

    def _act_on_interrupts(self) -> None:
        while self._interrupts:
            live = self._interrupts.popleft()
            child = next((child for child in self._children if child.live is live), None)
            if child is None:
                continue
            if live.stop_reason == "cancel" and child.kill_at is None:
                child.channel.send({"t": "cancel"})
                child.kill_at = time.monotonic() + CANCEL_SECONDS
            else:
                kill_group(child.process.pid)

    def _act_on_kills(self) -> None:
        while self._kills:
            leader, pids, why = self._kills.popleft()
            child = next((child for child in self._children if child.process.pid == leader), None)
            if child is not None:
                child.killed_for = why
                if child.live is None:
                    self._let_go(child)  # before it can be given a run that would be blamed
                kill_group(leader)
            for pid in pids:
                kill_group(pid)

    def notify_stopping(self) -> None:
        """Tell the running jobs that the worker is stopping; the manager does: one thread speaks on a channel."""
        self._tells_stopping = True
        self._wake()

    def _tell_stopping(self) -> None:
        if self._tells_stopping:
            self._tells_stopping = False
            for child in self._children:
                if child.live is not None:
                    child.channel.send({"t": "stopping"})

    def _watch(self) -> None:
        """Kill children over their memory ceiling or past their cancel; let idle ones go after a while."""
        now = time.monotonic()
        for child in list(self._children):
            # Usually its channel ends with it; not while a process that the job forked has it open too.
            if child.process.poll() is not None and not child.channel.connection.poll():
                self._bury(child)
                continue
            if child.live is None:
                if child.ready and now - child.idle_since > IDLE_SECONDS:
                    self._let_go(child)
                elif not child.ready and now - child.idle_since > START_SECONDS:
                    kill_group(child.process.pid)
                continue
            child.memory = max(child.memory, resident_bytes(child.process.pid))
            if child.is_over_memory:
                child.over_memory = True
                kill_group(child.process.pid)
            elif child.deadline is not None and now >= child.deadline and child.live.stop_reason is None:
                child.live.stop_reason = "timeout"
                kill_group(child.process.pid)
            elif child.kill_at is not None and now >= child.kill_at:
                kill_group(child.process.pid)

    def _let_go(self, child: Child) -> None:
        child.channel.send({"t": "quit"})
        child.ready = False
        child.live = None
        self._children.remove(child)
        threading.Thread(target=_reap, args=(child,), name="lodger-reap", daemon=True).start()

    def _end_children(self) -> None:
        for child in self._children:
            kill_group(child.process.pid)
        for child in self._children:
            child.process.wait()
            if child.live is not None:
                self._report(child.live, _ending_of_death(child, child.live, 0))


def _reap(child: Child) -> None:
    """Wait for a child that was let go, while it leaves its worker lifespan; then insist."""
    try:
        child.process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        kill_group(child.process.pid)
        child.process.wait()
    child.channel.close()


def _ending_of_death(child: Child, live: LiveRun, code: int) -> Ending:
    """Return why the run's process is gone: because we killed it, or of itself."""
    if child.killed_for:
        return Crashed(child.killed_for)
    if child.over_memory:
        return Crashed(f"killed at {child.memory // 2**20} MB, over its memory ceiling of {child.ceiling_mb} MB")
    if live.stop_reason is not None:
        return endings.stopped(live)
    return Crashed(exit_text(code, child.memory))

"""Engines as a supervisor sees them: in a process of their own, or in a thread of this one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from lodger.model.coverage import Pair
from lodger.processes.clock import clock
from lodger.processes.ends import exit_text, kill_group, kill_session
from lodger.processes.spawn import spawn
from lodger.worker.flight import Manifest, Recorder

ENGINE_MODULE: Final = "lodger.worker"
STALLED_SECONDS: Final = 15.0
DEATH_SECONDS: Final = 4.0
"""How long an engine may take to be gone after it was killed."""


class EngineHandle(Protocol):
    """One engine, from its start to its death."""

    number: int
    jobs: Mapping[str, str]
    """Once it is ready: the jobs it knows, each with its queue."""
    ready: bool
    started: float
    error: str | None
    is_hopeless: bool
    """It could not start, and no other will: what is wrong stands in the settings."""
    pid: int | None
    """None: it has no process of its own."""
    ended: int
    """How many runs it has recorded the ends of."""

    @property
    def connection(self) -> Any:
        """Return what becomes readable when the engine has said something; None when nothing ever will."""

    @property
    def end(self) -> int | None:
        """Return a descriptor that becomes readable when the engine ends; None when nothing tells but asking."""

    def hear(self) -> None:
        """Read what the engine has said; called when ``connection`` is readable."""

    def death(self) -> str | None:
        """Return how the engine ended, None while it lives."""

    def drain(self) -> None:
        """Ask it to end in order."""

    def retire(self) -> None:
        """Have it claim nothing more and end when its runs have; they are not stopped. A drain may follow."""

    def go_on_alone(self, orders: Mapping[str, Any]) -> bool:
        """Have it retire and beat for itself once we are gone; False when it cannot."""

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Have it claim none of these (queue, job) any more; said again with the same pairs it does nothing."""

    def manifest(self) -> Manifest | None:
        """Return, after its death, which runs it was executing; None when nothing can tell."""

    def kill(self, why: str = "") -> None:
        """End it now, with everything it started; ``why`` is added to how it ended."""

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Have it kill one of its job processes, with what that started (``pids``); ``why`` is told of the run."""

    def take_claimed(self) -> bool:
        """Return whether it has claimed runs since the last call."""

    def describe(self) -> dict[str, Any]:
        """Return its state for the worker's row."""


def kill_engines(engines: list[EngineHandle], rest: Callable[[float], None]) -> None:
    """Kill all of them and wait for their deaths, for a few seconds; the list is empty afterwards."""
    for engine in engines:
        engine.kill()
    deadline = clock() + DEATH_SECONDS
    while clock() < deadline and any(engine.death() is None for engine in engines):
        rest(0.02)
    engines.clear()


class ProcessEngine:
    """An engine in a process of its own, the leader of a session."""

    def __init__(self, number: int, message: Mapping[str, Any], seats: int) -> None:
        """Start it; it holds at most ``seats`` runs."""
        self.number = number
        self.jobs: Mapping[str, str] = {}
        self.ready = False
        self.started = time.monotonic()
        self.error: str | None = None
        self.is_hopeless = False
        self.ended = 0
        self._killed_for = ""
        self._apart: Sequence[str] = ()
        self._active = 0
        self._full = False
        self._yields: frozenset[Pair] = frozenset()
        self._claimed = False
        self._last_tick = self.started
        self._gone = False
        self._recorder = Recorder(seats)
        self._manifest: Manifest | None = None
        first = {**message, "number": number, "flight": self._recorder.file, "seats": seats}
        try:
            self.process, self._channel = spawn(ENGINE_MODULE, first, new_session=True, files=[self._recorder.file])
        except BaseException:
            self._recorder.close()
            raise
        self.pid: int | None = self.process.pid
        self._end = _process_end(self.process.pid)

    @property
    def connection(self) -> Any:
        """Return what to wait on."""
        return None if self._gone else self._channel.connection

    @property
    def end(self) -> int | None:
        """Return what tells of its end even while a process that a job forked has the channel open too."""
        return self._end

    def hear(self) -> None:
        """Read one message; the end of the channel means that the process is gone."""
        try:
            message = self._channel.recv()
        except EOFError:
            self._gone = True
            return
        match message["t"]:
            case "ready":
                self.jobs = message["jobs"]
                self.ready = True  # last: other threads ask for the jobs of an engine that is
                self._apart = message["apart"]
            case "tick":
                self._last_tick = time.monotonic()
                self._active = message["active"]
                self._full = message["full"]
                self._claimed = self._claimed or message["claimed"]
                self.ended = message["ended"]
            case "failed":
                self.error = message["error"]
                self.is_hopeless = message["hopeless"]

    def death(self) -> str | None:
        """Return the exit status once the process has ended; leftovers of its session are killed."""
        if not self._gone and self.process.poll() is None:
            return None
        if self.process.poll() is None:  # it closed its channel and yet lives: no engine any more
            kill_group(self.process.pid)
        code = self.process.wait()
        kill_session(self.process.pid)
        self._channel.close()
        self._gone = True
        if self._manifest is None:
            self._manifest = self._recorder.read()
            self._recorder.close()
            if self._end is not None:
                os.close(self._end)
                self._end = None
        return f"{exit_text(code)}, {self._killed_for}" if self._killed_for else exit_text(code)

    def manifest(self) -> Manifest | None:
        """Return which runs it was executing when it died."""
        return self._manifest

    def drain(self) -> None:
        """Ask it to end in order."""
        self._channel.send({"t": "drain"})

    def retire(self) -> None:
        """Have it claim nothing more and end when its runs have."""
        self._channel.send({"t": "retire"})

    def go_on_alone(self, orders: Mapping[str, Any]) -> bool:
        """Have it retire and beat for itself; it reads this before it can see the channel's end."""
        return self._channel.send({**orders, "t": "alone"})

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Tell it what to leave to others, if that is new."""
        if pairs != self._yields:
            self._yields = pairs
            self._channel.send({"t": "yield", "pairs": sorted(pairs)})

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Have it kill one of its job processes."""
        self._channel.send({"t": "kill", "leader": leader, "pids": pids, "why": why})

    def kill(self, why: str = "") -> None:
        """Kill the process and its session; safe at any time, from any thread."""
        if self.process.poll() is None:
            self._killed_for = why
            kill_group(self.process.pid)
        kill_session(self.process.pid)

    def take_claimed(self) -> bool:
        """Return whether it has claimed runs since the last call."""
        claimed, self._claimed = self._claimed, False
        return claimed

    def describe(self) -> dict[str, Any]:
        """Return its state for the worker's row."""
        silent = time.monotonic() - self._last_tick
        state = "starting" if not self.ready else "stalled" if silent > STALLED_SECONDS else "running"
        return {
            "number": self.number,
            "pid": self.process.pid,
            "state": state,
            "active": self._active,
            "full": self._full,
            "apart": self._apart,
            "error": self.error,
        }


def _process_end(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or an old one, or forbidden
        return None


class ThreadEngine:
    """An engine in a thread of this process (thread placement)."""

    def __init__(self, number: int, make: Any) -> None:
        """Start it; ``make(number)`` builds the Engine."""
        self.number = number
        self.jobs: Mapping[str, str] = {}
        self.ready = False
        self.started = time.monotonic()
        self.error: str | None = None
        self.is_hopeless = False
        self.pid: int | None = None
        self.ended = 0
        self.connection = None
        self.end = None
        self._last_claim = 0.0
        self._engine = make(number)
        self._ended = False
        self._thread = threading.Thread(target=self._main, name=f"lodger-engine-{number}", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        try:
            self._engine.start()
            self.jobs = self._engine.jobs
            self.ready = True
            self._engine.run()
        except Exception as error:  # noqa: BLE001 - told by the supervisor
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._engine.close()
            self._ended = True

    def hear(self) -> None:
        """Nothing is said over a channel."""

    def death(self) -> str | None:
        """Return how the thread ended, None while it lives."""
        return (self.error or "its thread ended") if self._ended else None

    def drain(self) -> None:
        """Ask it to end in order."""
        self._engine.drain()

    def retire(self) -> None:
        """Have it claim nothing more and end when its runs have."""
        self._engine.retire()

    def go_on_alone(self, orders: Mapping[str, Any]) -> bool:
        """It ends with this process."""
        return False

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Tell it what to leave to others."""
        self._engine.yield_pairs(pairs)

    def manifest(self) -> Manifest | None:
        """Nothing is recorded: it is the web server's process, and who reads this is alive."""
        return None

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Nobody knows its job processes but itself."""

    def kill(self, why: str = "") -> None:
        """A thread cannot be killed: it drops its runs and ends."""
        self._engine.abandon()

    def take_claimed(self) -> bool:
        """Return whether it has claimed runs since the last call."""
        before, self._last_claim = self._last_claim, self._engine.last_claim
        return bool(self._last_claim > before)

    def describe(self) -> dict[str, Any]:
        """Return its state for the worker's row."""
        return {
            "number": self.number,
            "pid": None,
            "state": "running" if self.ready else "starting",
            "active": self._engine.active,
            "full": self._engine.full,
            "apart": self._engine.apart,
            "error": self.error,
        }

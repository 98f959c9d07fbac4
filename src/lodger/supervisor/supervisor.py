"""The supervisor: beats, watches its engines, frees the runs of those that died, restarts, drains.

It runs no user code, so nothing a job does can keep it from beating. The same in every placement: a thread
of the web process (embedded), the main thread of ``lodger worker`` (separate).

    register ─▶ start engines ─▶ [ hear · fence · beat · bury and restart · sweep ] … ─▶ wind down ─▶ leave
        ▲                                  │
        └── kill engines, new id ──────────┘   no beat confirmed in time, or declared dead

Three ways to wind down; a drain may follow the others:

    retire      claim nothing more, running jobs end in their own time                (others have taken over)
    hand over   the same, and the engine lives and beats on without us                (our process is replaced)
    drain       claim nothing more, running jobs have the grace to end                (all of it stops)
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Final, Protocol

from lodger.model.coverage import Pair
from lodger.model.ids import new_id
from lodger.processes.clock import clock
from lodger.settings import Settings
from lodger.store import migrations, workers
from lodger.store.database import Database
from lodger.supervisor.burial import Burial
from lodger.supervisor.engines import EngineHandle
from lodger.supervisor.limits import Limits
from lodger.supervisor.sweeper import free_stopped, sweep
from lodger.trouble import Trouble
from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.supervisor")

TURN_SECONDS: Final = 1.0
MAX_BACKOFF_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 10.0
"""An engine that lived this long is restarted at once; one that died sooner waits, longer each time."""
DRAIN_EXTRA_SECONDS: Final = 4.0
LAST_RESORT_SECONDS: Final = 0.5
FENCE_SHARE: Final = 0.9
"""Share of ``dead_after`` without a confirmed beat after which a worker gives its runs up by its own clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to supervise."""

    settings: Settings
    database: Database
    placement: str
    engines: int
    start_engine: Callable[[str, int], EngineHandle]
    """Called with the worker's id and the engine's number."""
    leaves: frozenset[Pair] = frozenset()
    """What it leaves to other workers whether or not any lives."""


class Companion(Protocol):
    """Something that lives as long as the worker, in threads of its own: a schedule daemon."""

    def start(self) -> None:
        """Begin; returns at once."""

    def request_stop(self) -> None:
        """Begin to end; returns at once."""

    def stop(self) -> None:
        """End; returns when it has, or after a few seconds."""


class Supervisor:
    """One worker: its row, its engines, its end."""

    def __init__(self, plan: Plan) -> None:
        """Prepare; nothing is touched before ``start`` or ``run``."""
        self._plan = plan
        self._settings = plan.settings
        self._database = plan.database
        self._dead_after = plan.settings.dead_after_seconds * (2 if plan.placement == "thread" else 1)
        self._worker = ""
        self._engines: list[EngineHandle] = []
        self._limits = Limits(plan.settings)
        self._numbers = 0
        self._quick_deaths = 0
        self._last_death = ""
        self._yields = plan.leaves
        self._start_after = 0.0
        self._confirmed = 0.0
        self._next_beat = 0.0
        self._next_sweep = 0.0
        self._trouble = Trouble(logger, "worker")
        self._troubled_at = float("-inf")
        self._last_turn = clock()
        self._unfreed: list[Burial] = []
        self._announcer = Announcer(plan.database)
        self._is_ending = False
        self._stop_at: float | None = None
        self._orders: Mapping[str, Any] | None = None
        self._is_handed_over = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._companions: list[Companion] = []
        self.ready = threading.Event()
        self.failure: str | None = None
        """Why it ended by itself: a separate worker that can never work ends with its first engine."""

    @property
    def worker_id(self) -> str:
        """Return the id of the worker's row; it changes when the worker was declared dead."""
        return self._worker

    @property
    def engines(self) -> list[EngineHandle]:
        """Return the engines under supervision."""
        return list(self._engines)

    def start(self) -> None:
        """Supervise in a thread of this process."""
        self._thread = threading.Thread(target=self.run, name="lodger-supervisor", daemon=True)
        self._thread.start()

    def carry(self, companion: Companion) -> None:
        """Start and stop this together with the worker. Call it before ``start`` or ``run``."""
        self._companions.append(companion)

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Leave these (queue, job) to other workers, from the next turn on. Any thread, also before ``start``."""
        self._yields = pairs | self._plan.leaves

    def retire(self) -> None:
        """Claim nothing more and leave when the running jobs have ended; returns at once. A stop may follow."""
        self._is_ending = True
        with suppress(BlockingIOError):  # it is full: awake it is
            os.write(self._wake_write, b"\0")

    def hand_over(self, orders: Mapping[str, Any]) -> None:
        """Retire, and leave the running jobs to engines that go on without us; returns at once."""
        self._orders = orders
        self.retire()

    def request_stop(self) -> None:
        """Begin to drain; returns at once. Safe twice, and in a signal handler: it takes no lock."""
        if self._stop_at is None:
            self._stop_at = clock() + self._settings.grace_seconds + DRAIN_EXTRA_SECONDS
        self.retire()

    def stop(self) -> None:
        """Drain and return when the worker has left (no later than the grace and a few seconds)."""
        self.request_stop()
        self.join(self._settings.grace_seconds + 2 * DRAIN_EXTRA_SECONDS)

    def join(self, seconds: float) -> bool:
        """Wait until it has left; return whether it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self.is_over

    @property
    def is_over(self) -> bool:
        """Whether it has left."""
        return self._over.is_set()

    def close(self) -> None:
        """Close its files, once it is over: a web process has many supervisors in its life."""
        os.close(self._wake_read)
        os.close(self._wake_write)

    def run(self) -> None:
        """Supervise until told to end."""
        try:
            self._run()
        finally:
            self._over.set()

    def _run(self) -> None:
        threading.Thread(target=self._kill_late, name="lodger-last-resort", daemon=True).start()
        while not self._is_ending and not self._guarded(self._begin):
            self._rest(1.0)
        for companion in self._companions:
            companion.start()
        while not self._is_ending:
            self._guarded(self._turn)
        for companion in self._companions:
            companion.request_stop()
        self._wind_down()
        for companion in self._companions:
            companion.stop()
        self._announcer.close()
        self._database.dispose()

    def _guarded(self, step: Callable[[], None]) -> bool:
        """Do one step; trouble is logged and waited out, it never ends the supervisor."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - see above
            if clock() - self._troubled_at > SETTLED_SECONDS:
                self._trouble.end()
            self._troubled_at = clock()
            self._trouble.note(error)
            self._rest(random.uniform(0.3, 1.0))
            return False
        return True

    def _rest(self, seconds: float) -> None:
        wait([self._wake_read], seconds)

    # life

    def _begin(self) -> None:
        """Check the tables and put up the worker's row."""
        if self._settings.migrate or self._database.dialect == "sqlite":
            migrations.migrate(self._database)
        migrations.check(self._database)
        self._register()

    def _register(self) -> None:
        worker = new_id()
        new = workers.NewWorker(
            id=worker,
            environment=self._settings.environment,
            release=self._settings.release,
            placement=self._plan.placement,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._settings.queues,
            dead_after_seconds=self._dead_after,
        )
        self._database.transact(lambda conn: workers.register(conn, new))
        self._worker = worker
        self._confirmed = clock()
        self._next_beat = clock() + self._settings.beat_seconds

    def _turn(self) -> None:
        """Hear the engines, then do what is due."""
        if not self._worker:  # given up while the database was away
            self._register()
        self._notice_sleep()
        connections = {engine.connection: engine for engine in self._engines if getattr(engine, "connection", None)}
        ends = [engine.end for engine in self._engines if engine.end is not None]
        for ready in wait([*connections, *ends, self._wake_read], self._patience()):
            if ready in connections:
                connections[ready].hear()
        # What fails below fails alone: it must keep us neither from beating nor from giving up in time.
        if clock() - self._confirmed > self._dead_after * FENCE_SHARE:
            self._give_up("no beat was confirmed in time")
        if clock() >= self._next_beat:
            self._guarded(self._beat)
        for step in (self._bury_the_dead, self._enforce_limits, self._start_missing, self._tell_yields):
            self._guarded(step)
        if clock() >= self._next_sweep:
            self._guarded(self._sweep)

    def _enforce_limits(self) -> None:
        self._limits.enforce(self._engines)

    def _tell_yields(self) -> None:
        for engine in self._engines:
            engine.yield_pairs(self._yields)

    def _patience(self) -> float:
        return max(0.0, min(TURN_SECONDS, self._next_beat - clock(), self._next_sweep - clock()))

    def _notice_sleep(self) -> None:
        """A long gap between turns (suspended, stopped): others' beats may look old for the same reason."""
        now = clock()
        if now - self._last_turn > self._dead_after / 2:
            self._troubled_at = now
        self._last_turn = now

    def _start_missing(self) -> None:
        while (
            self._worker
            and self._limits.in_service(self._engines) < self._plan.engines
            and clock() >= self._start_after
        ):
            self._numbers += 1
            try:
                self._engines.append(self._plan.start_engine(self._worker, self._numbers))
            except Exception as error:  # noqa: BLE001 - no process to be had, or no file: as one that died at once
                self._note_death(self._numbers, time.monotonic(), f"{type(error).__name__}: {error}")
        if not self.ready.is_set() and self._engines and all(engine.ready for engine in self._engines):
            self.ready.set()
            self._next_beat = 0.0  # tell the jobs' names at once

    def _bury_the_dead(self) -> None:
        for engine in list(self._engines):
            how = engine.death()
            if how is not None:
                self._engines.remove(engine)
                self._unfreed.append(Burial(self._worker, engine.number, how, engine.manifest()))
                if self._limits.forget(engine):
                    logger.info("engine %d, which was replaced, has ended: %s", engine.number, how)
                elif engine.is_hopeless and self._plan.placement == "separate" and not self.ready.is_set():
                    self.failure = engine.error
                    self.request_stop()
                else:
                    self._note_death(engine.number, engine.started, f"{how} ({engine.error})" if engine.error else how)
        for burial in list(self._unfreed):
            if burial.is_due and burial.free(self._database):
                self._unfreed.remove(burial)

    def _note_death(self, number: int, started: float, how: str) -> None:
        if self._is_ending:
            return
        lived = time.monotonic() - started
        self._quick_deaths = 0 if lived > SETTLED_SECONDS else self._quick_deaths + 1
        pause = 0.0 if self._quick_deaths == 0 else min(0.5 * 2**self._quick_deaths, MAX_BACKOFF_SECONDS)
        self._start_after = clock() + pause
        self._last_death = how
        logger.error("engine %d ended after %.0f s: %s; a new one starts in %.0f s", number, lived, how, pause)

    def _beat(self) -> None:
        self._next_beat = clock() + self._settings.beat_seconds
        jobs = sorted({name for engine in self._engines for name in engine.jobs})
        state = self._describe_engines()
        claimed = any([engine.take_claimed() for engine in self._engines])  # noqa: C419 - ask all of them
        alive = False
        with self._database.connect() as conn:
            alive = workers.beat(
                conn, self._worker, jobs=tuple(jobs), engines=state, claimed=claimed, stopping=self._stop_at is not None
            )
        if alive:
            self._confirmed = clock()
        else:
            self._give_up("it was declared dead")

    def _describe_engines(self) -> list[dict[str, Any]]:
        """Return the engines' states for the worker's row, those included that died and wait for their restart."""
        told = [engine.describe() for engine in self._engines]
        for number in range(len(told), self._plan.engines):
            lost = {"number": self._numbers + number + 1, "pid": None, "state": "restarting", "active": 0}
            told.append({**lost, "full": False, "error": self._last_death or None})
        settled = time.monotonic() - max((engine.started for engine in self._engines), default=0) > SETTLED_SECONDS
        deaths = 0 if settled and len(self._engines) >= self._plan.engines else self._quick_deaths
        return [{**one, "deaths": deaths, "yields": sorted(self._yields)} for one in told]

    def _give_up(self, why: str) -> None:
        """Our runs belong to others: end the engines at once, begin anew under another id."""
        logger.error("worker %s: %s; its jobs are stopped, it starts anew", self._worker, why)
        self._kill_engines()
        self._worker = ""  # an engine started before the new row is there would work for a dead worker
        self._register()

    def _kill_engines(self) -> None:
        for engine in self._engines:
            engine.kill()
        deadline = clock() + DRAIN_EXTRA_SECONDS
        while clock() < deadline and any(engine.death() is None for engine in self._engines):
            self._rest(0.02)
        self._engines.clear()

    def _sweep(self) -> None:
        """Free the runs of silent workers, but not soon after trouble of our own: then all beats look old."""
        self._next_sweep = clock() + self._settings.sweep_seconds * random.uniform(0.8, 1.2)
        self._notice_sleep()  # also one within this turn: waiting for a lock, as all others may have been
        if clock() - self._troubled_at < self._dead_after:
            return
        freed = sweep(self._database)
        if freed:
            self._announcer.announce(self._queues_to_wake())

    def _queues_to_wake(self) -> set[str]:
        return set(self._settings.queues) or {"default"}

    # end

    def _wind_down(self) -> None:
        """Let the engines end as it was said, and leave; or leave them to themselves."""
        self._next_beat = 0.0  # say at once that we leave in order: others count the time from then
        told: set[tuple[int, bool]] = set()
        while not self._is_wound_down():
            if self._hand_engines_over():
                return
            self._tell_to_end(told)
            self._guarded(self._beat_while_ending)
            self._hear_last_words()
            if self._stop_at is None:
                self._guarded(self._bury_the_dead)  # no hurry, no excuse: a crash is a crash
                self._guarded(self._enforce_limits)
        for engine in self._engines:
            if engine.death() is None:
                logger.warning("engine %d did not end in time and is killed", engine.number)
                engine.kill()
        self._guarded(self._free_and_leave)

    def _is_wound_down(self) -> bool:
        if self._stop_at is None:
            return not self._engines and not self._unfreed
        return clock() >= self._stop_at or all(engine.death() is not None for engine in self._engines)

    def _tell_to_end(self, told: set[tuple[int, bool]]) -> None:
        """Tell each engine once to retire, and once to drain."""
        is_drain = self._stop_at is not None
        for engine in self._engines:
            if (engine.number, is_drain) not in told:
                told.add((engine.number, is_drain))
                engine.drain() if is_drain else engine.retire()

    def _hand_engines_over(self) -> bool:
        """Leave running jobs to their engines, if that is wanted; return whether it was done."""
        orders, self._orders = self._orders, None
        if orders is None or self._stop_at is not None or not self._worker:
            return False
        for engine in list(self._engines):
            if not engine.ready:
                engine.kill()  # it has begun nothing
            elif engine.go_on_alone(orders):
                self._is_handed_over = True
                self._engines.remove(engine)
        if all(engine.death() is not None or not engine.ready for engine in self._engines):
            return True
        self.request_stop()
        return False

    def _kill_late(self) -> None:
        """Kill engines for the supervisor when it can't: an engine that is stuck may hold the lock it waits for."""
        while not self._over.wait(LAST_RESORT_SECONDS):
            if self._stop_at is not None and clock() > self._stop_at + LAST_RESORT_SECONDS:
                for engine in self.engines:
                    engine.kill()
                return

    def _beat_while_ending(self) -> None:
        if not self._worker or clock() < self._next_beat:
            return
        self._next_beat = clock() + self._settings.beat_seconds
        state = [{**engine.describe(), "state": "ending"} for engine in self._engines]
        with self._database.connect() as conn:
            alive = workers.beat(conn, self._worker, jobs=(), engines=state, claimed=False, stopping=True)
        if not alive:
            logger.error("worker %s was declared dead while it ended; its jobs are stopped", self._worker)
            self._kill_engines()  # its runs belong to others

    def _hear_last_words(self) -> None:
        connections = {engine.connection: engine for engine in self._engines if getattr(engine, "connection", None)}
        self._hush()
        for ready in wait([*connections, self._wake_read], 0.05):
            if ready in connections:
                connections[ready].hear()

    def _hush(self) -> None:
        """Read away what has woken us."""
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 64):
                pass

    def _free_and_leave(self) -> None:
        for engine in self._engines:
            try:
                free_stopped(self._database, self._worker, engine.number)
            except Exception as error:  # noqa: BLE001 - the others' runs are to be freed all the same, and these by a sweep
                logger.warning("the runs of engine %d are left to a sweep: %s", engine.number, error)
        if self._worker and not self._is_handed_over:
            with self._database.connect() as conn:
                workers.leave(conn, self._worker)

"""The supervisor: beats, watches its engines, frees the runs of those that died, restarts, drains.

It runs no user code, so nothing a job does can keep it from beating. The same in every placement: a thread
of the web process (embedded), the main thread of ``lodger worker`` (separate).

    register ─▶ start engines ─▶ [ hear · fence · beat · bury and restart · sweep ] … ─▶ wind down ─▶ leave
        ▲                                  │
        └── kill engines, new id ──────────┘   no beat confirmed in time, or declared dead

How it winds down stands in ``winding_down``.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from typing import Any, Final

from lodger.model.coverage import Pair
from lodger.processes.clock import clock
from lodger.store import migrations
from lodger.supervisor.burial import Burial, Burials
from lodger.supervisor.engines import EngineHandle, kill_engines
from lodger.supervisor.limits import Limits
from lodger.supervisor.plan import Companion, Plan
from lodger.supervisor.row import Row
from lodger.supervisor.sweeper import sweep
from lodger.supervisor.winding_down import WindingDown, kill_late
from lodger.supervisor.wishes import DRAIN_EXTRA_SECONDS, Wishes
from lodger.trouble import Trouble, backoff
from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.supervisor")

TURN_SECONDS: Final = 1.0
MAX_BACKOFF_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 10.0
"""An engine that lived this long is restarted at once; one that died sooner waits, longer each time."""


class Supervisor:
    """One worker: its row, its engines, its end."""

    def __init__(self, plan: Plan) -> None:
        """Prepare; nothing is touched before ``start`` or ``run``."""
        self._plan = plan
        self._settings = plan.settings
        self._database = plan.database
        self._row = Row(plan)
        self._wishes = Wishes(plan.settings.grace_seconds)
        self._engines: list[EngineHandle] = []
        self._limits = Limits(plan.settings)
        self._numbers = 0
        self._quick_deaths = 0
        self._last_death = ""
        self._yields = plan.leaves
        self._start_after = 0.0
        self._next_sweep = 0.0
        self._trouble = Trouble(logger, "worker")
        self._troubled_at = float("-inf")
        self._last_turn = clock()
        self._burials = Burials(plan.database)
        self._announcer = Announcer(plan.database)
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._companions: list[Companion] = []
        """Those that live."""
        self._missing_companions: list[Companion] = []
        self.ready = threading.Event()
        self.failure: str | None = None
        """Why it ended by itself: a separate worker that can never work ends with its first engine."""

    @property
    def worker_id(self) -> str:
        """Return the id of the worker's row; it changes when the worker was declared dead."""
        return self._row.id

    @property
    def engines(self) -> list[EngineHandle]:
        """Return the engines under supervision."""
        return list(self._engines)

    @property
    def jobs(self) -> Mapping[str, str] | None:
        """Return the jobs that its engines know, each with its queue; None while no engine is ready."""
        return next((engine.jobs for engine in self.engines if engine.ready), None)

    @property
    def is_failing(self) -> bool:
        """Whether its last engine died soon after its start."""
        return self._quick_deaths > 0

    def start(self) -> None:
        """Supervise in a thread of this process."""
        self._thread = threading.Thread(target=self.run, name="lodger-supervisor", daemon=True)
        self._thread.start()

    def carry(self, companion: Companion) -> None:
        """Start and stop this together with the worker. Call it before ``start`` or ``run``."""
        self._missing_companions.append(companion)

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Leave these (queue, job) to other workers, from the next turn on. Any thread, also before ``start``."""
        self._yields = pairs | self._plan.leaves

    def retire(self) -> None:
        """Claim nothing more and leave when the running jobs have ended; returns at once. A stop may follow."""
        self._wishes.retire()

    def hand_over(self, orders: Mapping[str, Any]) -> None:
        """Retire, and leave the running jobs to engines that go on without us; returns at once."""
        self._wishes.hand_over(orders)

    def request_stop(self) -> None:
        """Begin to drain; returns at once. Safe twice, and in a signal handler: it takes no lock."""
        self._wishes.drain()

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
        self._wishes.close()

    def run(self) -> None:
        """Supervise until told to end."""
        try:
            self._run()
        finally:
            self._over.set()

    def _run(self) -> None:
        last_resort = (self._over, self._wishes, self._row, self._engines)
        threading.Thread(target=kill_late, args=last_resort, name="lodger-last-resort", daemon=True).start()
        while not self._wishes.is_ending and not self._guarded(self._begin):
            self._wishes.rest(1.0)
        while not self._wishes.is_ending:
            self._guarded(self._turn)
        for companion in self._companions:
            companion.request_stop()
        WindingDown(self._row, self._wishes, self._engines, self._burials, self._limits, self._guarded).run()
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
            self._wishes.rest(random.uniform(0.3, 1.0))
            return False
        return True

    # life

    def _begin(self) -> None:
        """Check the tables and put up the worker's row."""
        if self._settings.migrate or self._database.dialect == "sqlite":
            migrations.migrate(self._database)
        migrations.check(self._database)
        self._row.put_up()

    def _turn(self) -> None:
        """Hear the engines, then do what is due."""
        if not self._row.id:  # given up while the database was away
            self._row.put_up()
        self._notice_sleep()
        connections = {engine.connection: engine for engine in self._engines if engine.connection}
        ends = [engine.end for engine in self._engines if engine.end is not None]
        for ready in wait([*connections, *ends, self._wishes.ear], self._patience()):
            if ready in connections:
                connections[ready].hear()
        # What fails below fails alone: it must keep us neither from beating nor from giving up in time.
        self._keep_the_fence()
        if clock() >= self._row.next_beat:
            self._guarded(self._beat)
        for step in (self._bury_the_dead, self._enforce_limits, self._start_missing, self._tell_yields):
            self._guarded(step)
        if self._missing_companions:
            self._guarded(self._start_companions)
        if clock() >= self._next_sweep:
            self._guarded(self._sweep)

    def _keep_the_fence(self) -> None:
        if self._row.is_overdue:
            self._give_up("no beat was confirmed in time")

    def _start_companions(self) -> None:
        """A companion that finds no thread to be had is started later; the worker works meanwhile."""
        while self._missing_companions:
            self._missing_companions[0].start()
            self._companions.append(self._missing_companions.pop(0))

    def _enforce_limits(self) -> None:
        self._limits.enforce(self._engines)

    def _tell_yields(self) -> None:
        for engine in self._engines:
            engine.yield_pairs(self._yields)

    def _patience(self) -> float:
        return max(0.0, min(TURN_SECONDS, self._row.next_beat - clock(), self._next_sweep - clock()))

    def _notice_sleep(self) -> None:
        """A long gap between turns (suspended, stopped): others' beats may look old for the same reason."""
        now = clock()
        if now - self._last_turn > self._plan.dead_after_seconds / 2:
            self._troubled_at = now
        self._last_turn = now

    def _start_missing(self) -> None:
        while (
            not self._wishes.is_ending
            and self._row.id
            and self._limits.in_service(self._engines) < self._plan.engines
            and clock() >= self._start_after
        ):
            self._numbers += 1
            try:
                self._engines.append(self._plan.start_engine(self._row.id, self._numbers))
            except Exception as error:  # noqa: BLE001 - no process to be had, or no file: as one that died at once
                self._note_death(self._numbers, time.monotonic(), f"{type(error).__name__}: {error}")
        if not self.ready.is_set() and self._engines and all(engine.ready for engine in self._engines):
            self.ready.set()
            self._row.next_beat = 0.0  # tell the jobs' names at once

    def _bury_the_dead(self) -> None:
        for engine in list(self._engines):
            how = engine.death()
            if how is not None and self._row.is_overdue:  # the last resort may have killed it: no crash
                self._keep_the_fence()
                return
            if how is not None:
                self._engines.remove(engine)
                self._burials.add(Burial(self._row.id, engine.number, how, engine.manifest()))
                if self._limits.forget(engine):
                    logger.info("engine %d, which was replaced, has ended: %s", engine.number, how)
                elif engine.is_hopeless and self._plan.placement == "separate" and not self.ready.is_set():
                    self.failure = engine.error
                    self.request_stop()
                else:
                    self._note_death(engine.number, engine.started, f"{how} ({engine.error})" if engine.error else how)
        self._burials.go_on()

    def _note_death(self, number: int, started: float, how: str) -> None:
        if self._wishes.is_ending:
            return
        lived = time.monotonic() - started
        self._quick_deaths = 0 if lived > SETTLED_SECONDS else self._quick_deaths + 1
        pause = 0.0 if self._quick_deaths == 0 else backoff(self._quick_deaths, 0.5, MAX_BACKOFF_SECONDS)
        self._start_after = clock() + pause
        self._last_death = how
        logger.error("engine %d ended after %.0f s: %s; a new one starts in %.0f s", number, lived, how, pause)

    def _beat(self) -> None:
        jobs = sorted({name for engine in self._engines for name in engine.jobs})
        state = self._describe_engines()
        claimed = any([engine.take_claimed() for engine in self._engines])  # noqa: C419 - ask all of them
        if not self._row.beat(state, jobs=jobs, claimed=claimed, stopping=self._wishes.is_drain):
            self._give_up("it was declared dead")

    def _describe_engines(self) -> list[dict[str, Any]]:
        """Return the engines' states for the worker's row, those included that died and wait for their restart."""
        told = [engine.describe() for engine in self._engines]
        for number in range(len(told), self._plan.engines):
            lost = {"number": self._numbers + number + 1, "pid": None, "state": "restarting", "active": 0}
            told.append({**lost, "full": False, "error": self._last_death or None})
        settled = time.monotonic() - max((engine.started for engine in self._engines), default=0) > SETTLED_SECONDS
        deaths = 0 if settled and len(self._engines) >= self._plan.engines else self._quick_deaths
        common = {"deaths": deaths, "yields": sorted(self._yields)}
        last = self._last_death if deaths else None
        return [{**one, **common, "error": one["error"] or last} for one in told]

    def _give_up(self, why: str) -> None:
        """Our runs belong to others: end the engines at once, begin anew under another id."""
        logger.error("worker %s: %s; its jobs are stopped, it starts anew", self._row.id, why)
        kill_engines(self._engines, self._wishes.rest)
        self._row.give_up()
        self._row.put_up()

    def _sweep(self) -> None:
        """Free the runs of silent workers, but not soon after trouble of our own: then all beats look old."""
        self._next_sweep = clock() + self._settings.sweep_seconds * random.uniform(0.8, 1.2)
        self._notice_sleep()  # also one within this turn: waiting for a lock, as all others may have been
        if clock() - self._troubled_at < self._plan.dead_after_seconds:
            return
        freed = sweep(self._database)
        if freed:
            self._announcer.announce(self._queues_to_wake())

    def _queues_to_wake(self) -> set[str]:
        return set(self._settings.queues) or {"default"}

"""How a worker ends: its engines end as it was said, what they leave behind is freed, and its row is left.

    retire      claim nothing more, running jobs end in their own time                (others have taken over)
    hand over   the same, and the engine lives and beats on without us                (our process is replaced)
    drain       claim nothing more, running jobs have the grace to end                (all of it stops)

A drain may follow the others. Until its engines have ended the worker beats, and gives their runs up in time when it
cannot: an hour-long run has an hour in which the database may be away.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Final

from lodger.processes.clock import clock
from lodger.supervisor.burial import Burial, Burials
from lodger.supervisor.engines import EngineHandle, kill_engines
from lodger.supervisor.limits import Limits
from lodger.supervisor.row import Row
from lodger.supervisor.wishes import Wishes

logger: Final = logging.getLogger("lodger.supervisor")

LAST_RESORT_SECONDS: Final = 0.5
HEAR_SECONDS: Final = 0.05
REAP_SECONDS: Final = 0.5

Guarded = Callable[[Callable[[], None]], bool]


class WindingDown:
    """The end of one worker."""

    def __init__(
        self,
        row: Row,
        wishes: Wishes,
        engines: list[EngineHandle],
        burials: Burials,
        limits: Limits,
        guarded: Guarded,
    ) -> None:
        """Take over what the supervisor had; ``guarded`` does a step that may fail."""
        self._row = row
        self._wishes = wishes
        self._engines = engines
        self._burials = burials
        self._limits = limits
        self._guarded = guarded
        self._is_handed_over = False
        self._told: set[tuple[int, bool]] = set()

    def run(self) -> None:
        """Return when the worker has left."""
        self._wishes.hush()
        self._row.next_beat = 0.0  # say at once that we leave in order: others count the time from then
        self._hand_over()
        while not self._is_over():
            self._keep_the_fence()
            self._tell_engines()
            self._guarded(self._beat)
            self._hear()
            self._guarded(self._bury_the_dead)
            if not self._wishes.is_drain:  # no hurry, no excuse
                self._guarded(self._enforce_limits)
            self._hand_over()
        self._end_late_engines()
        self._burials.end()
        if self._row.id and not self._is_handed_over:
            self._guarded(self._row.leave)

    def _is_over(self) -> bool:
        if self._wishes.stop_at is None:
            return not self._engines and not self._burials
        return not self._engines or clock() >= self._wishes.stop_at

    def _keep_the_fence(self) -> None:
        if self._engines and self._row.is_overdue:
            self._give_up("no beat was confirmed in time")

    def _give_up(self, why: str) -> None:
        """Our runs belong to others, or soon will: end the engines at once; what is still ours by then is freed."""
        logger.error("worker %s: %s; its jobs are stopped", self._row.id, why)
        ended = list(self._engines)
        kill_engines(self._engines, self._wishes.rest)
        for engine in ended:
            self._stopped(engine)

    # hand over

    def _hand_over(self) -> None:
        """Leave running jobs to their engines, if that is wanted; whatever cannot be left drains."""
        orders = self._wishes.take_orders()
        if orders is None or self._wishes.is_drain or not self._row.id:
            return
        self._guarded(self._bury_the_dead)  # nobody could tell later what they died of
        left = [(engine.number, engine.pid) for engine in self._engines if engine.ready]
        orders = {**orders, "engines": left, "confirmed": self._row.confirmed}
        for engine in list(self._engines):
            if not engine.ready:
                engine.kill()  # it has begun nothing
            elif engine.go_on_alone(orders):
                self._is_handed_over = True
                self._engines.remove(engine)
        self._wishes.drain()

    # the engines

    def _tell_engines(self) -> None:
        """Tell each engine once to retire, and once to drain."""
        is_drain = self._wishes.is_drain
        for engine in self._engines:
            if (engine.number, is_drain) not in self._told:
                self._told.add((engine.number, is_drain))
                engine.drain() if is_drain else engine.retire()

    def _beat(self) -> None:
        if not self._row.id or clock() < self._row.next_beat:
            return
        state = [{**engine.describe(), "state": "ending"} for engine in self._engines]
        if not self._row.beat(state, stopping=True) and self._engines:
            self._give_up("it was declared dead while it ended")

    def _hear(self) -> None:
        connections = {engine.connection: engine for engine in self._engines if engine.connection}
        self._wishes.hush()
        for ready in wait([*connections, self._wishes.ear], HEAR_SECONDS):
            if ready in connections:
                connections[ready].hear()

    def _enforce_limits(self) -> None:
        self._limits.enforce(self._engines)

    def _bury_the_dead(self) -> None:
        """Have the runs of engines that have ended freed: a crash is a crash, but in a drain nobody is blamed."""
        for engine in list(self._engines):
            how = engine.death()
            if how is None:
                continue
            if self._row.is_overdue:  # the last resort may have killed it: no crash
                self._keep_the_fence()
                return
            self._engines.remove(engine)
            self._limits.forget(engine)
            if self._wishes.is_drain:
                self._stopped(engine)
            else:
                self._burials.add(Burial(self._row.id, engine.number, how, engine.manifest()))
        self._burials.go_on()

    def _stopped(self, engine: EngineHandle) -> None:
        self._burials.add(Burial(self._row.id, engine.number, "stopped", None, is_stopped=True))

    def _end_late_engines(self) -> None:
        for engine in self._engines:
            if engine.death() is None:
                logger.warning("engine %d did not end in time and is killed", engine.number)
                engine.kill()
            self._stopped(engine)
        until = clock() + REAP_SECONDS  # or zombies are left in a web process that lives on
        while clock() < until and any(engine.pid and engine.death() is None for engine in self._engines):
            self._wishes.rest(HEAR_SECONDS)


def kill_late(over: threading.Event, wishes: Wishes, row: Row, engines: list[EngineHandle]) -> None:
    """Kill engines for the supervisor when it can't: it waits for a lock that a stuck one holds, or for an answer."""
    while not over.wait(min(LAST_RESORT_SECONDS, row.look_seconds)):
        is_late = wishes.stop_at is not None and clock() > wishes.stop_at + LAST_RESORT_SECONDS
        if row.forfeit_if_lost() or is_late:  # said before the first one dies: it is no crash
            for engine in list(engines):
                engine.kill()
        if is_late:
            return

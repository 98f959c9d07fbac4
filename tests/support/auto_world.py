"""A world without processes for mode `auto`: separate workers that beat, leave and die, told as looks at a database.

Times are seconds of one clock that all share. An actor beats when its engine is ready and every ten seconds after that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from lodger.model.coverage import EngineState, Look, SeenWorker, Waiting
from lodger.placement.auto import Decision, Memory, Own, decide
from tests.support.seen import EPOCH, seen_worker

BEAT = 10.0
DEAD_AFTER = 60.0
EngineAt = Callable[[float], EngineState]


@dataclass(kw_only=True)
class Actor:
    """One separate worker's life."""

    name: str = "w"
    start: float = 0.0
    ready_after: float = 2.0
    stop: float | None = None
    """SIGTERM: it says so at once, and has drained two seconds later."""
    kill: float | None = None
    queues: tuple[str, ...] = ()
    jobs: frozenset[str] = frozenset({"j"})
    environment: str = "e"
    placement: str = "separate"
    engine: EngineAt = field(default=lambda _: EngineState())
    """Its engine's state at a time."""
    claims: bool = True
    swept: bool = False
    """Somebody buries it as soon as it is silent for too long."""

    def seen(self, now: float) -> SeenWorker | None:
        """What its row shows; None before it is there."""
        if now < self.start:
            return None
        beat = self._last_beat(now)
        silent = now - beat
        stopped = None if self.stop is None or now < self.stop else now - self.stop
        gone = stopped is not None and stopped >= 2
        buried = self.swept and silent > DEAD_AFTER and stopped is None
        ready = beat >= self.start + self.ready_after
        engine = self.engine(beat) if ready else EngineState(state="starting")
        draining = stopped is not None
        return seen_worker(
            self.name,
            environment=self.environment,
            placement=self.placement,
            queues=self.queues,
            jobs=self.jobs if ready and not draining and engine.state != "restarting" else frozenset(),
            engines=() if draining else (engine,),
            is_live=not gone and silent <= DEAD_AFTER,
            beat_at=EPOCH + timedelta(seconds=beat),
            beat_seconds=silent,
            age_seconds=now - self.start,
            claim_seconds=silent if self.claims and ready else None,
            stopping_seconds=stopped,
            dead_seconds=(stopped or 0) - 2 if gone else silent - DEAD_AFTER if buried else None,
        )

    def _last_beat(self, now: float) -> float:
        if self.stop is not None and now >= self.stop:
            return min(now, self.stop + 2)
        last = now if self.kill is None else min(now, self.kill)
        first = self.start + self.ready_after
        return self.start if last < first else first + (last - first) // BEAT * BEAT

    def serves(self, now: float) -> bool:
        """Whether it would really take work now."""
        ends = min(end for end in (self.stop, self.kill, float("inf")) if end is not None)
        return (
            self.start + self.ready_after <= now < ends
            and self.claims
            and self.environment == "e"
            and self.engine(now).state == "running"
        )


@dataclass(kw_only=True)
class World:
    """Actors, work, and a web service in mode `auto` that looks at them."""

    actors: Sequence[Actor] = ()
    own: Own = field(default_factory=lambda: Own(environment="e", jobs={"j": "q"}))
    waiting: Callable[[float], Sequence[Waiting]] = field(default=lambda _: ())
    outages: Sequence[tuple[float, float]] = ()
    """When the database does not answer."""
    asleep: Sequence[tuple[float, float]] = ()
    """When the web service itself is suspended."""
    now: float = 0.0
    memory: Memory = field(default_factory=Memory)
    told: list[tuple[float, Decision]] = field(default_factory=list)

    def look(self) -> Look | None:
        """What the database shows now."""
        if any(start <= self.now < end for start, end in self.outages):
            return None
        rows = (actor.seen(self.now) for actor in self.actors)
        return Look(workers=tuple(row for row in rows if row), waiting=tuple(self.waiting(self.now)))

    def run(self, until: float) -> Decision:
        """Look as often as each decision asks for; return the last one."""
        while True:
            for start, end in self.asleep:
                if start <= self.now < end:
                    self.now = end
            decision = decide(self.own, self.look(), self.memory, self.now)
            self.memory = decision.memory
            self.told.append((self.now, decision))
            if self.now >= until:
                return decision
            self.now = min(until, self.now + decision.look_again_seconds)

    def changes(self) -> list[tuple[float, str]]:
        """When the action became another, and which."""
        found: list[tuple[float, str]] = []
        for at, decision in self.told:
            if decision.action != "keep" and (not found or found[-1][1] != decision.action):
                found.append((at, decision.action))
        return found

    def became(self, action: str, after: float) -> float:
        """When it first was this action, from ``after`` on; how long after."""
        return next(at for at, decision in self.told if at >= after and decision.action == action) - after

"""Orphans: work that no live worker serves, and when to say so. No clock, no I/O, no lock.

    offered ──covered, and none of it waits──▶ quiet for a while ──the next enqueue──▶ offered
       │ ▲
       │ └── covered, but it still waits: the worker may have been killed a moment ago
       └──── not covered for the whole grace ──▶ told, once ──covered──▶ told once more, and armed again

A pair of (queue, job) comes in by an enqueue or because a look finds it waiting: schedules and other processes
enqueue too. Schedules that are due while no daemon lives are watched in the same way. What waits in a paused queue
waits because somebody wants it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lodger.model.coverage import Look, Pair, Waiting, is_covered
from lodger.model.remedies import Here, Near, nearest, reason, remedy, scheduler_command, shown, worker_command

MOST_PAIRS: Final = 500
"""Watched at a time: names may be made up by the app without end."""
QUIET_SECONDS: Final = 10.0
"""How long a pair that was found served is not looked at again, whatever is enqueued."""
SOON_SECONDS: Final = 2.0
"""Between two looks while something is unclear."""
LATER_LOOKS: Final = 5
"""So many times longer between two looks while nothing is unclear but something is watched."""
LOOKS_PER_GRACE: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Overdue:
    """Schedules whose instant has passed, and how many daemons live to fire them."""

    count: int = 0
    oldest_seconds: float = 0.0
    daemons: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One look at the database: who is there, what waits, what is paused, what is overdue."""

    look: Look = field(default_factory=Look)
    paused: frozenset[str] = frozenset()
    overdue: Overdue = field(default_factory=Overdue)


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """A pair that nobody serves; ``waiting`` is None when none of it is to be seen (due later, or not committed)."""

    pair: Pair
    waiting: Waiting | None
    near: Near | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tidings:
    """What is to be said after a look; mostly nothing."""

    orphans: tuple[Orphan, ...] = ()
    served: tuple[Pair, ...] = ()
    overdue: Overdue | None = None
    fired_again: bool = False


@dataclass(slots=True)
class _Vigil:
    since: float | None
    """Since when it is not served, as far as is known; None: it is, or is paused."""
    told: bool = False


class Watchlist:
    """What one process watches. The caller sees to it that one thread at a time is in here."""

    def __init__(self, environment: str, grace_seconds: float) -> None:
        """Say nothing of what has been without a worker for less than ``grace_seconds``."""
        self.quiet_until: dict[Pair, float] = {}
        """Of which pairs an enqueue need not tell. Any thread may read it; watched ones are quiet without end."""
        self.look_at: float | None = None
        """When to look next; None: nothing is watched."""
        self._environment = environment
        self._grace = grace_seconds
        self._soon = max(0.01, min(SOON_SECONDS, grace_seconds / LOOKS_PER_GRACE))
        self._watched: dict[Pair, _Vigil] = {}
        self._schedules = _Vigil(None)
        self._minds_schedules = False

    def offer(self, pair: Pair, now: float) -> None:
        """Have ``pair`` looked at, a moment from now: till then its worker may have come and taken it."""
        if pair in self._watched:
            return
        if len(self._watched) >= MOST_PAIRS:
            self.quiet_until[pair] = now + QUIET_SECONDS
            return
        self._watched[pair] = _Vigil(now)
        self.quiet_until[pair] = float("inf")
        self._hurry(now)

    def mind_schedules(self, now: float) -> None:
        """Look from now on also when nothing is enqueued: schedules may fall due that nobody fires."""
        self._minds_schedules = True
        self._hurry(now)

    def judge(self, sight: Sight, now: float) -> Tidings:
        """Take in what a look has found; return what is to be said of it."""
        waiting = _by_pair(sight.look.waiting)
        for pair in waiting.keys() - self._watched.keys():
            self._discover(pair, sight, now)
        orphans: list[Orphan] = []
        served: list[Pair] = []
        for pair, vigil in list(self._watched.items()):
            if is_covered(pair, sight.look.workers, self._environment):
                served += [pair] if vigil.told else []
                self._settle(pair, vigil, now, waits=pair in waiting)
            elif pair[0] in sight.paused:
                vigil.since = None
            elif self._is_ripe(vigil, now):
                near = nearest(pair, sight.look.workers, self._environment)
                orphans.append(Orphan(pair=pair, waiting=waiting.get(pair), near=near))
        overdue, fired_again = self._judge_schedules(sight.overdue, now)
        self._plan(now)
        return Tidings(orphans=tuple(orphans), served=tuple(served), overdue=overdue, fired_again=fired_again)

    def postpone(self, now: float) -> None:
        """Look later: this time nothing could be seen."""
        self.look_at = now + self._soon * LATER_LOOKS

    def _discover(self, pair: Pair, sight: Sight, now: float) -> None:
        """Watch what waits without a worker, whoever has enqueued it."""
        if pair[0] not in sight.paused and not is_covered(pair, sight.look.workers, self._environment):
            self.offer(pair, now)

    def _settle(self, pair: Pair, vigil: _Vigil, now: float, *, waits: bool) -> None:
        vigil.since, vigil.told = None, False
        if not waits:
            del self._watched[pair]
            self.quiet_until[pair] = now + QUIET_SECONDS

    def _is_ripe(self, vigil: _Vigil, now: float) -> bool:
        """Whether to speak of it now; then it is not spoken of again."""
        if vigil.told:
            return False
        if vigil.since is None:
            vigil.since = now
        vigil.told = now - vigil.since >= self._grace
        return vigil.told

    def _judge_schedules(self, overdue: Overdue, now: float) -> tuple[Overdue | None, bool]:
        """Return what is overdue if it is to be told, and whether daemons are back after that was told."""
        vigil = self._schedules
        if overdue.daemons or not overdue.count:
            back = vigil.told and overdue.daemons > 0
            if overdue.daemons:
                vigil.told = False
            vigil.since = None
            return None, back
        return (overdue if self._is_ripe(vigil, now) else None), False

    def _hurry(self, now: float) -> None:
        soon = now + self._soon
        self.look_at = soon if self.look_at is None else min(self.look_at, soon)

    def _plan(self, now: float) -> None:
        """Say when to look next, and forget the names that are quiet no more."""
        for pair in [pair for pair, until in self.quiet_until.items() if until <= now]:
            del self.quiet_until[pair]
        vigils = [*self._watched.values(), self._schedules]
        if any(vigil.since is not None and not vigil.told for vigil in vigils):
            self.look_at = now + self._soon
        elif self._watched or self._minds_schedules or self._schedules.told:
            self.look_at = now + self._soon * LATER_LOOKS
        else:
            self.look_at = None


def _by_pair(waiting: Iterable[Waiting]) -> dict[Pair, Waiting]:
    """Return what waits and is not paused, by pair: QUEUED and overdue runs of one pair come apart."""
    found: dict[Pair, Waiting] = {}
    for one in waiting:
        if one.paused:
            continue
        other = found.get(one.pair)
        found[one.pair] = one if other is None else _sum(one, other)
    return found


def _sum(one: Waiting, other: Waiting) -> Waiting:
    oldest = max(one.oldest_seconds, other.oldest_seconds)
    return Waiting(queue=one.queue, job=one.job, count=one.count + other.count, oldest_seconds=oldest)


# words


def orphan_texts(orphans: Iterable[Orphan], here: Here, sample: int) -> list[str]:
    """Return one text for all the pairs that lack the same; ``sample``: how many runs of a queue a look counts."""
    alike: dict[tuple[str, str], list[Orphan]] = {}
    for one in orphans:
        key = (one.near.worker.id, one.near.lack.kind) if one.near else ("", "")
        alike.setdefault(key, []).append(one)
    return [_orphan_text(group, here, sample) for group in alike.values()]


def _orphan_text(group: list[Orphan], here: Here, sample: int) -> str:
    told = shown(f"{one.pair[1]} in queue {one.pair[0]} ({waits_text(one.waiting, sample)})" for one in group)
    why = shown(reason(one.near) for one in group)
    return f"no live worker serves {told}: {why}. To do: {remedy([one.pair for one in group], group[0].near, here)}"


def waits_text(waiting: Waiting | None, sample: int) -> str:
    """Return how much waits, and for how long."""
    if waiting is None:
        return "nothing of it is due yet"
    count = f"{waiting.count} or more" if waiting.count >= sample else f"{waiting.count}"
    return f"{count} waiting, for {waiting.oldest_seconds:.0f} s"


def served_text(served: Iterable[Pair]) -> str:
    """Return that these have a worker again."""
    return f"a live worker serves {shown(f'{job} in queue {queue}' for queue, job in served)} again"


def overdue_text(overdue: Overdue, here: Here) -> str:
    """Return that schedules are due and nobody is there to fire them."""
    due = "1 schedule is due" if overdue.count == 1 else f"{overdue.count} schedules are due"
    return (
        f"{due}, the first for {overdue.oldest_seconds:.0f} s, and no live schedule daemon "
        f"fires them. To do: {worker_command(here)} (it fires schedules too), or {scheduler_command(here)}"
    )

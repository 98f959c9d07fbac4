"""What `lodger stats` shows: the facts of one look, counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodger.doctor.facts import Facts
from lodger.model.coverage import SeenWorker, Waiting, covers, engine_lack, is_crash_looping, leaves, presence_lack
from lodger.store.recent import Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueLine:
    """A queue: what waits in it, what runs of it, who serves it."""

    queue: str
    waiting: int
    """Due runs: QUEUED, and SCHEDULED ones whose time has passed."""
    oldest_seconds: float | None
    running: int
    paused: bool
    served_by: tuple[str, ...]
    """Workers that serve some of what waits, or would serve something if it came."""
    orphans: tuple[str, ...]
    """Jobs that wait and that nobody serves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLine:
    """A worker that is not known to be dead."""

    name: str
    place: str
    state: str
    environment: str
    release: str
    queues: tuple[str, ...]
    """Empty: all."""
    jobs: int
    active: int
    age_seconds: float
    beat_seconds: float
    last_claim_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SchedulesLine:
    """All schedules in one line."""

    states: Mapping[str, int]
    due: int
    """Whose instant has passed by now and that were not fired yet."""
    next_in_seconds: float | None
    live_daemons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Everything that `lodger stats` shows."""

    now: datetime
    environment: str
    queues: tuple[QueueLine, ...]
    workers: tuple[WorkerLine, ...]
    runs: Totals | None
    schedules: SchedulesLine


def overview(facts: Facts) -> Overview:
    """Return the facts, counted."""
    return Overview(
        now=facts.now,
        environment=facts.here.environment,
        queues=tuple(_queue(name, facts) for name in _queue_names(facts)),
        workers=tuple(map(_worker, (one for one in facts.workers if one.dead_seconds is None))),
        runs=facts.totals,
        schedules=_schedules(facts),
    )


def name_of(worker: SeenWorker) -> str:
    """Return a short name for a table."""
    return f"{worker.placement} {worker.host}:{worker.pid}"


def _queue_names(facts: Facts) -> list[str]:
    """Return every queue of which anything is known, those in which work waits without a worker first."""
    waiting = {one.queue for one in facts.waiting}
    named = {queue for worker in facts.present for queue in worker.queues}
    scheduled = {one.queue for one in facts.schedules}
    lost = {one.queue for one in facts.orphans}
    everything = waiting | named | scheduled | set(facts.running) | facts.paused
    return sorted(everything, key=lambda name: (name not in lost, name))


def _queue(name: str, facts: Facts) -> QueueLine:
    here = [one for one in facts.waiting if one.queue == name]
    return QueueLine(
        queue=name,
        waiting=sum(one.count for one in here),
        oldest_seconds=max((one.oldest_seconds for one in here), default=None),
        running=facts.running.get(name, 0),
        paused=name in facts.paused,
        served_by=tuple(name_of(worker) for worker in facts.workers if _serves(worker, name, here, facts)),
        orphans=tuple(sorted({one.job for one in facts.orphans if one.queue == name})),
    )


def _serves(worker: SeenWorker, queue: str, waiting: Iterable[Waiting], facts: Facts) -> bool:
    """Whether ``worker`` serves some of what waits, or, if nothing does, any of its jobs in this queue."""
    jobs = {one.job for one in waiting} or worker.jobs
    return any(covers(worker, (queue, job), facts.here.environment) for job in jobs)


def _worker(worker: SeenWorker) -> WorkerLine:
    return WorkerLine(
        name=name_of(worker),
        place=worker.place,
        state=_state(worker),
        environment=worker.environment,
        release=worker.release,
        queues=worker.queues,
        jobs=len(worker.jobs),
        active=sum(engine.active for engine in worker.engines),
        age_seconds=worker.age_seconds,
        beat_seconds=worker.beat_seconds,
        last_claim_seconds=worker.claim_seconds,
    )


def _state(worker: SeenWorker) -> str:
    """Return in a word or two whether it takes work."""
    lacking = presence_lack(worker, worker.environment)
    if lacking is not None:
        return {"gone": "silent", "stopping": "stopping"}[lacking.kind]
    if engine_lack(worker) is None:
        pairs = {(queue, job) for queue in worker.queues or ("*",) for job in worker.jobs}
        return "stands by" if pairs and all(leaves(worker, pair) for pair in pairs) else "ready"
    if is_crash_looping(worker):
        return "crash-loops"
    states = {engine.state for engine in worker.engines}
    return next((one for one in ("stalled", "restarting") if one in states), "starting")


def _schedules(facts: Facts) -> SchedulesLine:
    firing = [one.next_at for one in facts.schedules if one.state == "active" and one.next_at is not None]
    coming = [(at - facts.now) / timedelta(seconds=1) for at in firing if at > facts.now]
    return SchedulesLine(
        states=dict(sorted(Counter(one.state for one in facts.schedules).items())),
        due=len(firing) - len(coming),
        next_in_seconds=min(coming, default=None),
        live_daemons=len(facts.live_daemons),
    )

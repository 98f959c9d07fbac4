"""Who serves what: the one notion of it, for `auto`, the orphan warning, `lodger doctor` and `lodger stats`.

    a worker covers (queue, job)  =  it is live and not stopping, of the same environment, has an engine that is ready,
                                     serves the queue, has the job, and does not leave the pair to another worker

Pure: ages are in seconds by the database's clock, as one look at the database found them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

Pair: TypeAlias = tuple[str, str]
"""(queue, job); the queue may be ANY_QUEUE, or the job ANY_JOB."""

ANY_QUEUE: Final = "*"
"""No queue can have this name: stands for all queues, also those not seen yet."""
ANY_JOB: Final = "*"
"""No job can have this name: stands for all jobs of a queue."""

CRASH_LOOP_DEATHS: Final = 3
"""An engine that died so often in a row, each time soon after its start, is crash-looping."""
WAIT_SECONDS: Final = 5.0
"""Work that waits longer than this, and a worker that has beaten since: then it should have claimed."""
CLAIM_SECONDS: Final = 30.0
"""A claim this young is recent (three beats: a claim is told with the next beat)."""
EMBEDDED: Final = frozenset({"child", "thread"})


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineState:
    """An engine as its supervisor's last beat told of it."""

    number: int = 1
    state: str = "running"
    """starting, running, stalled (does not tick), restarting (died, the next one waits)."""
    active: int = 0
    full: bool = False
    """It has no slot free for some of its jobs, so not claiming is no fault."""
    deaths: int = 0
    """How many engines died in a row before this one, each soon after its start."""
    error: str | None = None
    yields: frozenset[Pair] = frozenset()
    """What it leaves to separate workers: for a while (embedded in mode `auto`), or as (queue, ANY_JOB) for good."""
    apart: frozenset[str] = frozenset()
    """Jobs that it knows and never takes, since they are not embeddable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenWorker:
    """A worker as one look at the database shows it."""

    id: str
    environment: str
    release: str
    placement: str
    host: str
    pid: int
    queues: tuple[str, ...]
    """Empty: all queues, also those not seen yet."""
    jobs: frozenset[str]
    engines: tuple[EngineState, ...]
    is_live: bool
    """Not marked dead, and its last beat is younger than it said it may be."""
    beat_at: datetime
    age_seconds: float
    beat_seconds: float
    """Since its last beat."""
    claim_seconds: float | None = None
    """Since its last claim that found something, as told by a beat; None: never."""
    stopping_seconds: float | None = None
    """Since it began to stop in order; None: it did not."""
    dead_seconds: float | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it lives in a web service."""
        return self.placement in EMBEDDED

    @property
    def place(self) -> str:
        """Return where it is, for people."""
        return f"{self.placement} worker on {self.host} (pid {self.pid})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Runs of one job in one queue that are due and not claimed."""

    queue: str
    job: str
    count: int
    oldest_seconds: float
    paused: bool = False
    """The queue is paused: they wait because somebody wants it."""

    @property
    def pair(self) -> Pair:
        """Return (queue, job)."""
        return self.queue, self.job


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look at the database shows: who is there, and what waits."""

    workers: tuple[SeenWorker, ...] = ()
    waiting: tuple[Waiting, ...] = ()


LackKind: TypeAlias = Literal["gone", "stopping", "environment", "queue", "apart", "engine", "job", "yields"]
NEAREST: Final[tuple[LackKind, ...]] = ("gone", "stopping", "environment", "queue", "apart", "engine", "job", "yields")
"""From far to near: the nearest worker's lack is the one worth mending."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What a worker lacks to cover a pair; ``text`` completes 'the worker …'."""

    kind: LackKind
    text: str


def covers(worker: SeenWorker, pair: Pair, environment: str) -> bool:
    """Whether ``worker`` serves ``pair`` for the deployment named ``environment``."""
    return lack(worker, pair, environment) is None


def is_covered(pair: Pair, workers: Iterable[SeenWorker], environment: str) -> bool:
    """Whether any of ``workers`` serves ``pair``."""
    return any(covers(worker, pair, environment) for worker in workers)


def lack(worker: SeenWorker, pair: Pair, environment: str) -> Lack | None:
    """Return why ``worker`` does not serve ``pair``; None when it does."""
    queue, job = pair
    found = presence_lack(worker, environment)
    if found is not None:
        return found
    if worker.queues and queue not in worker.queues:
        return Lack("queue", f"serves only {_names(worker.queues)}")
    found = _apartness(worker, pair) or engine_lack(worker)
    if found is not None:
        return found
    if job not in worker.jobs:
        return Lack("job", f"does not know the job {job}")
    if leaves(worker, pair):
        return Lack("yields", "leaves it to a separate worker")
    return None


def _apartness(worker: SeenWorker, pair: Pair) -> Lack | None:
    """Return why ``worker``, an embedded one, will never serve ``pair``."""
    queue, job = pair
    if any(job in engine.apart for engine in worker.engines):
        return Lack("apart", f"never takes {job}, which is declared embeddable=False")
    if any((queue, ANY_JOB) in engine.yields for engine in worker.engines):
        return Lack("apart", f"never takes from queue {queue}, one of LODGER_SEPARATE_QUEUES")
    return None


def presence_lack(worker: SeenWorker, environment: str) -> Lack | None:
    """Return why ``worker`` serves nothing of this deployment, whatever the state of its engines."""
    if worker.stopping_seconds is not None:
        return Lack("stopping", f"began to stop {worker.stopping_seconds:.0f} s ago")
    if not worker.is_live:
        return Lack("gone", f"has not beaten for {worker.beat_seconds:.0f} s")
    if worker.environment != environment:
        return Lack("environment", f"belongs to environment {worker.environment!r}, not {environment!r}")
    return None


def engine_lack(worker: SeenWorker) -> Lack | None:
    """Return why none of the engines of ``worker`` takes work; None when one does."""
    if is_crash_looping(worker):
        worst = max(worker.engines, key=lambda engine: engine.deaths)
        told = f": {worst.error}" if worst.error else ""
        return Lack("engine", f"crash-loops ({worst.deaths} engines died in a row soon after their start{told})")
    if any(engine.state == "running" for engine in worker.engines):
        return None
    states = {engine.state for engine in worker.engines}
    if "stalled" in states:
        return Lack("engine", "has an engine that does not tick (stalled)")
    errors = [engine.error for engine in worker.engines if engine.error]
    return Lack("engine", f"has no engine that is ready{': ' + errors[0] if errors else ''}")


def is_crash_looping(worker: SeenWorker) -> bool:
    """Whether its engines die again and again soon after their start."""
    return any(engine.deaths >= CRASH_LOOP_DEATHS for engine in worker.engines)


def leaves(worker: SeenWorker, pair: Pair) -> bool:
    """Whether all engines of ``worker`` leave ``pair`` to others."""
    return bool(worker.engines) and all(is_yielded(pair, engine.yields) for engine in worker.engines)


def is_yielded(pair: Pair, yields: frozenset[Pair]) -> bool:
    """Whether ``pair`` is among ``yields``, which may hold (ANY_QUEUE, job) and (queue, ANY_JOB)."""
    return pair in yields or (ANY_QUEUE, pair[1]) in yields or (pair[0], ANY_JOB) in yields


def not_claiming(
    worker: SeenWorker, waiting: Iterable[Waiting], environment: str, claim_seconds: float = CLAIM_SECONDS
) -> Waiting | None:
    """Return the oldest work that ``worker`` should have claimed and did not: it beats but does not claim.

    It is no fault of a worker that claimed within ``claim_seconds``, has no free slot in any engine, or has
    not beaten since the work became old: what it claimed would not be told yet.
    """
    if worker.claim_seconds is not None and worker.claim_seconds <= claim_seconds:
        return None
    if all(engine.full for engine in worker.engines):
        return None
    ripe = [
        one
        for one in waiting
        if not one.paused
        and one.oldest_seconds > WAIT_SECONDS
        and worker.beat_seconds <= one.oldest_seconds - WAIT_SECONDS
        and covers(worker, one.pair, environment)
    ]
    return max(ripe, key=lambda one: one.oldest_seconds, default=None)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

"""Whether one separate worker is trusted with work: what mode `auto` remembers of it from look to look.

    first seen ready ──two beats, and the dwell──▶ trusted ──leaves in order, engine restarts──▶ held ──time──▶ dropped
           ▲                                         │  ▲                                         │
           └──── dropped ◀── expired, crash-loops, ──┘  └──────────────── ready again ────────────┘
                             beats but does not claim

The pairs of a trusted or held worker are left to it; a dropped one begins anew. Pure, like `auto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lodger.model.coverage import (
    ANY_QUEUE,
    WAIT_SECONDS,
    Lack,
    Pair,
    SeenWorker,
    Waiting,
    engine_lack,
    is_crash_looping,
    not_claiming,
    presence_lack,
)

READY_BEATS: Final = 2
CLAIM_BEATS: Final = 3
FRESH_BEATS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """What the web service would run itself, and its rules of time."""

    environment: str
    jobs: Mapping[str, str | None] | None
    """The jobs it may run embedded, each with the queue it is declared with; None in place of a queue, and of all the
    jobs: not known.
    """
    queues: tuple[str, ...] = ()
    """Empty: all, also those not seen yet."""
    separate_queues: tuple[str, ...] = ()
    """What it never takes, whoever else lives."""
    beat_seconds: float = 10.0
    takeover_seconds: float = 30.0
    """After a clean departure. An engine that restarts gets this time, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """What is remembered of one separate worker. Times are the caller's ``now``."""

    pairs: frozenset[Pair]
    beat_at: datetime
    ready_beats: int
    ready_since: float
    trusted: bool = False
    hold_until: float | None = None
    """Trusted but leaving or not ready: its pairs are still left to it until then."""
    fresh: bool = True
    """Not trusted yet, but it beats and nothing speaks against it."""

    @property
    def is_held(self) -> bool:
        """Whether it is trusted on old merits only."""
        return self.hold_until is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What a judgement depends on besides the worker."""

    now: float
    own: Own
    waiting: tuple[Waiting, ...]
    dwell_seconds: float
    """How long a worker must have been ready before it is trusted, besides the two beats."""
    recovering_until: float
    """Until then silence is the database's fault, or our own, not the workers'."""


def judge(worker: SeenWorker, before: Track | None, moment: Moment) -> tuple[Track | None, str | None]:
    """Return what to remember of ``worker`` (None: dropped) and why it is not counted on (None: it is)."""
    missing = presence_lack(worker, moment.own.environment) or engine_lack(worker)
    if missing is not None:
        return _hold(worker, before, missing, moment), missing.text
    track = _ready(worker, before, moment)
    is_recovering = moment.now < moment.recovering_until
    stuck = None if is_recovering else not_claiming(worker, moment.waiting, moment.own.environment, _recent(moment.own))
    if stuck is not None:
        if before is not None and before.trusted:
            track = _first_sight(worker, moment)
        text = f"beats but does not claim: {stuck.job} of queue {stuck.queue} waits for {stuck.oldest_seconds:.0f} s"
        return replace(track, trusted=False, fresh=False), text
    return track, _doubt(track, moment)


def offered(worker: SeenWorker, own: Own) -> frozenset[Pair]:
    """Return the pairs of ``own`` that ``worker`` serves."""
    jobs = worker.jobs & (own.jobs or {}).keys()
    return frozenset((queue, job) for queue in worker.queues or (ANY_QUEUE,) for job in jobs)


def _recent(own: Own) -> float:
    return max(CLAIM_BEATS * own.beat_seconds, WAIT_SECONDS)


def _hold(worker: SeenWorker, before: Track | None, missing: Lack, moment: Moment) -> Track | None:
    """Keep a trusted worker for a while, if what it lacks may pass."""
    if before is None or not before.trusted:
        return None
    match missing.kind:
        case "stopping":
            gone_for = worker.stopping_seconds or 0.0
            until = moment.now + moment.own.takeover_seconds - gone_for
        case "engine" if not is_crash_looping(worker):
            until = moment.now + moment.own.takeover_seconds
        case "gone" if worker.dead_seconds is None:
            until = moment.recovering_until
        case _:
            return None
    if before.hold_until is not None and missing.kind != "gone":
        until = min(until, before.hold_until)
    return replace(before, hold_until=until, fresh=False) if moment.now < until else None


def _ready(worker: SeenWorker, before: Track | None, moment: Moment) -> Track:
    """Count the beats of a worker that is ready; trust it when they are enough."""
    if before is None:
        return _first_sight(worker, moment)
    beats = before.ready_beats + (worker.beat_at != before.beat_at)
    long_enough = moment.now - before.ready_since >= moment.dwell_seconds
    fresh = _is_fresh(worker, moment)
    return Track(
        pairs=offered(worker, moment.own),
        beat_at=worker.beat_at,
        ready_beats=beats,
        ready_since=before.ready_since,
        trusted=before.trusted or (beats >= READY_BEATS and long_enough and fresh),
        fresh=fresh,
    )


def _first_sight(worker: SeenWorker, moment: Moment) -> Track:
    return Track(
        pairs=offered(worker, moment.own),
        beat_at=worker.beat_at,
        ready_beats=1,
        ready_since=moment.now,
        fresh=_is_fresh(worker, moment),
    )


def _is_fresh(worker: SeenWorker, moment: Moment) -> bool:
    return worker.beat_seconds <= FRESH_BEATS * moment.own.beat_seconds


def _doubt(track: Track, moment: Moment) -> str | None:
    own = moment.own
    if own.jobs is None:
        return "may serve this app's jobs, which are being found out"
    if not track.pairs:
        return "knows none of this app's jobs"
    if track.trusted:
        return None
    if track.ready_beats < READY_BEATS:
        return f"was seen ready for {track.ready_beats} of {READY_BEATS} beats"
    left = track.ready_since + moment.dwell_seconds - moment.now
    return f"is ready, but workers came and went: counted on in {left:.0f} s"

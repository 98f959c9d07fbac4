"""Mode `auto` as a pure state table: the embedded worker runs, stands by, or leaves part of the work to others.

No process, no clock and no database in here: everything is passed in, the state too.

    Seam. The host keeps one Memory. About every two seconds (``Decision.look_again_seconds`` says when at the
    latest), and in any thread:

        try:                       look = store.coverage.look(conn)      # two or three small reads
        except <database's error>: look = None
        decision = decide(own, look, memory, now)        # now: processes.clock, which goes on while suspended
        memory = decision.memory
        "run"       have a supervisor running, and tell it ``supervisor.yield_pairs(decision.yields)`` each time
                    (it is cheap, and sends a message only when they changed; best before its ``start``, too)
        "stand_by"  drain and stop the supervisor; no child is kept
        "keep"      change nothing; before the first decision that means: nothing runs yet, ask again

    ``own.jobs`` are the embeddable jobs of all the app's modules; None while they are not known, which matters only
    if ``needs_jobs`` says so. ``decision.text`` is worth a log line whenever ``decision.changed``;
    ``decision.reasons`` tell, for doctor and the like, why a separate worker is not counted on.

What is yielded, per (queue, job): what a trusted separate worker serves (see `trust`). When those pairs
cover everything the app declares, and everything that waits, nothing is left to run: stand by.

    separate workers                           embedded
    none                                       run
    ready for less than two beats              as before (at the first look: stand by for three beats at most)
    trusted, serve everything                  stand by
    trusted, serve --queues media              run, yield (media, each job)
    trusted, lack a job's name                 run, yield the others
    another environment, crash-loops,          run
      work waits and they do not claim
    expired (dead_after)                       run at once
    left in order                              as before for 30 s, then run
    come and go                                run; yield only to who stays, longer each time
    are ready, but our own jobs are not        run; at the first look keep: no child for a moment
      known yet
    the database does not answer               keep
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from lodger.model.coverage import ANY_QUEUE, Look, Pair, Waiting, engine_lack, is_yielded, presence_lack
from lodger.placement.trust import Moment, Own, Track, judge

__all__ = ["Decision", "Memory", "Own", "Reason", "decide", "needs_jobs"]

Action: TypeAlias = Literal["run", "stand_by", "keep"]

LOOK_SECONDS: Final = 2.0
SOON_SECONDS: Final = 0.1
BRIDGE_BEATS: Final = 3
"""How long a worker that is ready but not trusted yet may stand in for one that was, or for none at the first look."""
GAP_BEATS: Final = 2
"""A pause between looks this long: the database was away, or we slept. Then nobody's silence is held against him."""
FLAP_WINDOW_SECONDS: Final = 3600.0
FREE_TAKEOVERS: Final = 1
FIRST_DWELL_SECONDS: Final = 20.0
MAX_DWELL_SECONDS: Final = 600.0
STRAY_SECONDS: Final = 600.0
"""Work in a queue nobody declared keeps the embedded worker running so long: no start and stop for each run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a separate worker is not counted on; ``text`` completes 'the worker …'."""

    worker: str
    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What is known from earlier looks. Begin with ``Memory()``; pass on what each Decision holds."""

    action: Action | None = None
    yields: frozenset[Pair] = frozenset()
    tracks: Mapping[str, Track] = field(default_factory=dict)
    takeovers: tuple[float, ...] = ()
    strays: Mapping[Pair, float] = field(default_factory=dict)
    bridge_until: float | None = None
    looked_at: float | None = None
    recovering_until: float = float("-inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to do now, and the memory for the next time."""

    action: Action
    yields: frozenset[Pair]
    """What the embedded engine leaves to others while it runs; the queue may be ANY_QUEUE."""
    changed: bool
    text: str
    reasons: tuple[Reason, ...]
    look_again_seconds: float
    memory: Memory


def decide(own: Own, look: Look | None, memory: Memory, now: float) -> Decision:
    """Return what the embedded worker does; ``look`` None: the database did not answer. ``now`` in seconds."""
    if look is None:
        return _keep(memory, "the database does not answer")
    if memory.action is None and needs_jobs(own, look):
        return _keep(memory, "whether separate workers serve this app's jobs is being found out")
    moment = _moment(own, look, memory, now)
    tracks, reasons = _judge_all(look, memory, moment)
    bridge_until = memory.bridge_until
    if bridge_until is None:
        bridge_until = now + BRIDGE_BEATS * own.beat_seconds
    solid = _pairs(track for track in tracks.values() if track.trusted)
    bridged = _bridged(tracks, memory, solid) if now < bridge_until else frozenset()
    yields = solid | bridged
    strays = _strays(look.waiting, yields, moment, memory)
    action = _action(own, yields, strays)
    after = Memory(
        action=action,
        yields=yields,
        tracks=tracks,
        takeovers=_takeovers(memory, yields, now),
        strays=strays,
        bridge_until=bridge_until if bridged else now + BRIDGE_BEATS * own.beat_seconds,
        looked_at=now,
        recovering_until=moment.recovering_until,
    )
    return Decision(
        action=action,
        yields=yields,
        changed=(action, yields) != (memory.action, memory.yields),
        text=_text(action, yields, reasons),
        reasons=reasons,
        look_again_seconds=_look_again(after, bridged=bool(bridged), dwell=moment.dwell_seconds, now=now),
        memory=after,
    )


def needs_jobs(own: Own, look: Look) -> bool:
    """Whether somebody lives to whom our jobs could be left, and it is not known which those are."""
    return own.jobs is None and any(
        not one.is_embedded and (presence_lack(one, own.environment) or engine_lack(one)) is None
        for one in look.workers
    )


def _keep(memory: Memory, why: str) -> Decision:
    return Decision(
        action="keep",
        yields=memory.yields,
        changed=False,
        text=f"{why}: everything stays as it is",
        reasons=(),
        look_again_seconds=LOOK_SECONDS,
        memory=memory,
    )


def _moment(own: Own, look: Look, memory: Memory, now: float) -> Moment:
    recovering_until = memory.recovering_until
    if memory.looked_at is not None and now - memory.looked_at > max(GAP_BEATS * own.beat_seconds, 2 * LOOK_SECONDS):
        recovering_until = now + BRIDGE_BEATS * own.beat_seconds
    flaps = sum(1 for at in memory.takeovers if now - at < FLAP_WINDOW_SECONDS) - FREE_TAKEOVERS
    dwell = min(FIRST_DWELL_SECONDS * 2.0 ** (flaps - 1), MAX_DWELL_SECONDS) if flaps > 0 else 0.0
    return Moment(now=now, own=own, waiting=look.waiting, dwell_seconds=dwell, recovering_until=recovering_until)


def _judge_all(look: Look, memory: Memory, moment: Moment) -> tuple[dict[str, Track], tuple[Reason, ...]]:
    tracks: dict[str, Track] = {}
    reasons: list[Reason] = []
    for worker in look.workers:
        if worker.is_embedded:
            continue
        track, doubt = judge(worker, memory.tracks.get(worker.id), moment)
        if track is not None:
            tracks[worker.id] = track
        if doubt is not None and (track is not None or worker.dead_seconds is None):
            reasons.append(Reason(worker=worker.id, place=worker.place, text=doubt))
    return tracks, tuple(reasons)


def _pairs(tracks: Iterable[Track]) -> frozenset[Pair]:
    return frozenset(pair for track in tracks for pair in track.pairs)


def _bridged(tracks: Mapping[str, Track], memory: Memory, solid: frozenset[Pair]) -> frozenset[Pair]:
    """Return what was yielded before and now has nobody but a worker that is not trusted yet."""
    offered = _pairs(track for track in tracks.values() if track.fresh and not track.trusted)
    if memory.action is None:  # the first look of a web service that has just started: no child for a few seconds
        return frozenset(pair for pair in offered if not is_yielded(pair, solid))
    both = {pair for pair in memory.yields if is_yielded(pair, offered)}
    both |= {pair for pair in offered if is_yielded(pair, memory.yields)}
    return frozenset(pair for pair in both if not is_yielded(pair, solid))


def _strays(waiting: Iterable[Waiting], yields: frozenset[Pair], moment: Moment, memory: Memory) -> dict[Pair, float]:
    """Return the pairs that waited lately and nobody else serves, each with when it was last seen."""
    own, jobs = moment.own, moment.own.jobs or {}
    strays = {pair: at for pair, at in memory.strays.items() if moment.now - at < STRAY_SECONDS}
    for one in waiting:
        is_ours = one.job in jobs and not one.paused and _takes_from(own, one.queue)
        if is_ours and not is_yielded(one.pair, yields):
            strays[one.pair] = moment.now
    return strays


def _action(own: Own, yields: frozenset[Pair], strays: Iterable[Pair]) -> Action:
    declared = [
        (ANY_QUEUE if queue is None else queue, job)
        for job, queue in (own.jobs or {}).items()
        if queue is None or _takes_from(own, queue)
    ]
    left = [pair for pair in (*declared, *strays) if not is_yielded(pair, yields)]
    return "stand_by" if yields and not left else "run"


def _takes_from(own: Own, queue: str) -> bool:
    return queue not in own.separate_queues and (not own.queues or queue in own.queues)


def _takeovers(memory: Memory, yields: frozenset[Pair], now: float) -> tuple[float, ...]:
    """Return when pairs were taken back, this moment included if they are now."""
    recent = tuple(at for at in memory.takeovers if now - at < FLAP_WINDOW_SECONDS)
    is_takeover = any(not is_yielded(pair, yields) for pair in memory.yields)
    return (*recent, now) if is_takeover else recent


def _text(action: Action, yields: frozenset[Pair], reasons: tuple[Reason, ...]) -> str:
    why = "; ".join(f"the {reason.place} {reason.text}" for reason in reasons)
    if action == "stand_by":
        return f"the embedded worker stands by: separate workers serve its jobs{f' ({why})' if why else ''}"
    if yields:
        jobs = sorted({f"{job} of {'all queues' if queue == ANY_QUEUE else queue}" for queue, job in yields})
        return f"the embedded worker runs and leaves to separate workers: {', '.join(jobs)}{f' ({why})' if why else ''}"
    return f"the embedded worker runs: {why or 'no separate worker lives'}"


def _look_again(memory: Memory, *, bridged: bool, dwell: float, now: float) -> float:
    """Return the seconds until time alone may change the decision, two at most."""
    moments = [now + LOOK_SECONDS]
    if bridged and memory.bridge_until is not None:
        moments.append(memory.bridge_until)
    for track in memory.tracks.values():
        if track.hold_until is not None:
            moments.append(track.hold_until)
        elif not track.trusted:
            moments.append(track.ready_since + dwell)
    return max(SOON_SECONDS, min(at for at in moments if at > now) - now)

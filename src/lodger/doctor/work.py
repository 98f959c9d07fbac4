"""Rules about work and workers: who serves what waits, whether they claim it, whether they get in each other's way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from lodger.doctor.facts import Facts, Finding
from lodger.model.coverage import (
    ANY_QUEUE,
    SeenWorker,
    Waiting,
    engine_lack,
    is_crash_looping,
    is_yielded,
    not_claiming,
)
from lodger.model.remedies import Near, nearest, reason, remedy, shown, starting, worker_command

SETTLED_SECONDS: Final = 120.0
"""A deploy is under way for so long: workers start, yield, stop."""
ROLLING_SECONDS: Final = 600.0
"""Two releases side by side for longer than this are no deploy any more."""
LEAST_RUNS: Final = 100
"""A p99 of fewer is only their longest."""
P99: Final = 0.99
GRACE_MARGIN: Final = 1.2
STOP_EXTRA_SECONDS: Final = 5
"""How much longer than the grace a worker may take to stop."""


def orphans(facts: Facts) -> Iterator[Finding]:
    """Find work that waits and that no live worker serves."""
    alike: dict[tuple[str, str, str], list[tuple[Waiting, Near | None]]] = {}
    for one in facts.orphans:
        near = nearest(one.pair, facts.workers, facts.here.environment)
        key = (one.queue, near.lack.kind, near.worker.id) if near else (one.queue, "", "")
        alike.setdefault(key, []).append((one, near))
    for (queue, kind, _), group in alike.items():
        yield _orphan(queue, "unknown-job" if kind == "job" else "no-worker", group, facts)


def _orphan(queue: str, rule: str, group: list[tuple[Waiting, Near | None]], facts: Facts) -> Finding:
    jobs = shown(f"{one.job} ({one.count})" for one, _ in group)
    what = f"no live worker serves {jobs} in queue {queue}"
    if rule == "unknown-job":
        what = f"no live worker knows {jobs}, waiting in queue {queue}"
    return Finding(
        severity="error",
        rule=rule,
        what=what,
        evidence={
            "queue": queue,
            "jobs": [one.job for one, _ in group],
            "waiting": sum(one.count for one, _ in group),
            "oldest_seconds": round(max(one.oldest_seconds for one, _ in group), 1),
            "nearest": shown(reason(near) for _, near in group),
        },
        todo=remedy([one.pair for one, _ in group], group[0][1], facts.here),
    )


def nobody(facts: Facts) -> Iterator[Finding]:
    """Find that there is no worker at all, before anything waits for one."""
    if facts.present or facts.orphans:
        return
    yield Finding(
        severity="warning",
        rule="no-worker",
        what=f"no worker lives in environment {facts.here.environment}: what is enqueued will wait",
        evidence={"live_workers": 0, "workers_seen_lately": len(facts.workers)},
        todo=starting(facts.here),
    )


def idle(facts: Facts) -> Iterator[Finding]:
    """Find workers that beat but do not claim."""
    for worker in facts.present:
        stuck = not_claiming(worker, facts.waiting, facts.here.environment)
        if stuck is not None:
            claimed = "never" if worker.claim_seconds is None else f"{worker.claim_seconds:.0f} s ago"
            yield Finding(
                severity="error",
                rule="not-claiming",
                what=f"the {worker.place} beats but does not claim {stuck.job} in queue {stuck.queue}",
                evidence={
                    "waiting": stuck.count,
                    "oldest_seconds": round(stuck.oldest_seconds, 1),
                    "last_claim": claimed,
                    "beat_seconds": round(worker.beat_seconds, 1),
                },
                todo=f"restart it, its runs are given back: kill -TERM {worker.pid} on {worker.host}; its log says why",
            )


def engines(facts: Facts) -> Iterator[Finding]:
    """Find engines that crash-loop, stall, or do not become ready."""
    for worker in facts.present:
        lacking = engine_lack(worker)
        told = lacking.text if lacking else _one_stalled(worker)
        if told is None or (lacking and not _is_over(worker)):
            continue
        errors = [engine.error for engine in worker.engines if engine.error]
        yield Finding(
            severity="error" if lacking else "warning",
            rule="engine",
            what=f"the {worker.place} {told}",
            evidence={
                "engines": [engine.state for engine in worker.engines],
                "deaths_in_a_row": max((engine.deaths for engine in worker.engines), default=0),
                "worker_age_seconds": round(worker.age_seconds),
                "error": errors[0] if errors else "none told",
            },
            todo=_mend(worker, facts),
        )


def _is_over(worker: SeenWorker) -> bool:
    """Whether the usual time of a start is over; an engine that died has had its chance."""
    states = {engine.state for engine in worker.engines}
    return is_crash_looping(worker) or "stalled" in states or worker.age_seconds > SETTLED_SECONDS


def _one_stalled(worker: SeenWorker) -> str | None:
    stalled = sum(engine.state == "stalled" for engine in worker.engines)
    return f"has {stalled} of {len(worker.engines)} engines that do not tick (stalled)" if stalled else None


def _mend(worker: SeenWorker, facts: Facts) -> str:
    if any(engine.state == "stalled" for engine in worker.engines):
        return (
            "a job holds the whole process, mostly in C code: give it @lodger.job(executor='process'); "
            f"meanwhile restart the worker: kill -TERM {worker.pid} on {worker.host}"
        )
    return f"mend what its error says, it starts anew by itself; to see more, run there: {worker_command(facts.here)}"


def releases(facts: Facts) -> Iterator[Finding]:
    """Find releases of the app that live side by side for longer than a deploy takes."""
    named = [worker for worker in facts.present if worker.release]
    ages: dict[str, float] = {}
    for worker in named:
        ages[worker.release] = min(worker.age_seconds, ages.get(worker.release, math.inf))
    if len(ages) < 2 or min(ages.values()) < ROLLING_SECONDS:  # noqa: PLR2004 - two are a difference
        return
    newest = min(ages, key=lambda release: ages[release])
    old = [worker for worker in named if worker.release != newest]
    yield Finding(
        severity="warning",
        rule="releases",
        what=f"workers of {len(ages)} releases live side by side, none younger than {min(ages.values()):.0f} s",
        evidence={"releases": dict(sorted(ages.items())), "newest": newest, "older_workers": [w.place for w in old]},
        todo=f"deploy {newest} there too, or stop: {shown(worker.place for worker in old)}",
    )


def double_placement(facts: Facts) -> Iterator[Finding]:
    """Find jobs that run in the web service though a separate worker serves them."""
    ready = [worker for worker in facts.present if engine_lack(worker) is None]
    separate = [worker for worker in ready if not worker.is_embedded and worker.age_seconds > SETTLED_SECONDS]
    for embedded in (worker for worker in ready if worker.is_embedded):
        shared = {job: other for other in separate for job in sorted(_shared(embedded, other))}
        if shared:
            places = shown({other.place for other in shared.values()})
            yield Finding(
                severity="warning",
                rule="double-placement",
                what=f"the {embedded.place} runs {shown(shared)} in the web service, and so does the {places}",
                evidence={"jobs": len(shared), "embedded": embedded.place, "separate": places},
                todo="EMBEDDED_JOB_WORKER=auto on the web service (it stands by), or false (it never runs jobs)",
            )


def _shared(embedded: SeenWorker, other: SeenWorker) -> set[str]:
    """Return the jobs that both run in a queue of both, and that the embedded one does not leave to others."""
    queues = other.queues or embedded.queues or (ANY_QUEUE,)
    both = [queue for queue in queues if not embedded.queues or queue in embedded.queues]
    return {
        job
        for job in embedded.jobs & other.jobs
        for queue in both
        if not all(is_yielded((queue, job), engine.yields) for engine in embedded.engines)
    }


def grace(facts: Facts) -> Iterator[Finding]:
    """Find a grace that is shorter than the jobs: each deploy interrupts them."""
    count = len(facts.durations)
    if count < LEAST_RUNS:
        yield Finding(
            severity="unknown",
            rule="grace",
            what=f"not enough data: {count} of the newest runs have ended, {LEAST_RUNS} tell how long jobs take",
            evidence={"runs": count, "runs_needed": LEAST_RUNS},
        )
        return
    p99 = sorted(facts.durations)[math.ceil(P99 * count) - 1]
    if p99 <= facts.grace_seconds:
        return
    wanted = math.ceil(p99 * GRACE_MARGIN)
    yield Finding(
        severity="warning",
        rule="grace",
        what=f"1 run in 100 takes {p99:.1f} s or longer, the grace is {facts.grace_seconds:g} s: a deploy cuts it",
        evidence={"p99_seconds": round(p99, 3), "runs": count, "grace_seconds": facts.grace_seconds},
        todo=(
            f"LODGER_GRACE_SECONDS={wanted} on the workers, and let the platform wait {wanted + STOP_EXTRA_SECONDS} s "
            "before it kills; or save checkpoints in the long jobs"
        ),
    )

"""Rules about schedules: somebody fires them, their code is there, their runs have a worker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from lodger.doctor.facts import Facts, Finding
from lodger.model.coverage import is_covered
from lodger.model.remedies import nearest, reason, remedy, scheduler_command, shown, worker_command
from lodger.model.schedule import ScheduleRecord

LATE_SECONDS: Final = 60.0
"""A daemon that lives fires within a second or two."""


def no_daemon(facts: Facts) -> Iterator[Finding]:
    """Find schedules that nobody fires."""
    active = _active(facts)
    if not active or facts.live_daemons:
        return
    late = _overdue_seconds(facts, active)
    yield Finding(
        severity="error",
        rule="no-daemon",
        what=f"no live schedule daemon fires {shown(one.id for one in active)}",
        evidence={
            "active_schedules": len(active),
            "due_now": len([seconds for seconds in late if seconds > 0]),
            "longest_overdue_seconds": round(max(0.0, *late), 1),
            "live_daemons": 0,
        },
        todo=f"{worker_command(facts.here)} (it fires schedules too), or {scheduler_command(facts.here)}",
    )


def late(facts: Facts) -> Iterator[Finding]:
    """Find schedules that are not fired though a daemon lives: none of the live processes declares them."""
    overdue = [one for one in _active(facts) if _overdue_seconds(facts, [one])[0] > LATE_SECONDS]
    if overdue and facts.live_daemons:
        yield Finding(
            severity="warning",
            rule="late-schedule",
            what=f"{shown(one.id for one in overdue)} should have fired, and live daemons have not fired them",
            evidence={
                "schedules": len(overdue),
                "longest_overdue_seconds": round(max(_overdue_seconds(facts, overdue)), 1),
                "live_daemons": len(facts.live_daemons),
            },
            todo=(
                "a schedule of code fires while a live worker or daemon declares it: start one with that code "
                f"({worker_command(facts.here)}), or remove it: lodger schedules delete {overdue[0].id}"
            ),
        )


def undeclared(facts: Facts) -> Iterator[Finding]:
    """Find schedules that no code declares any more."""
    for one in facts.schedules:
        if one.state == "undeclared" and one.undeclared_at is not None:
            since = (facts.now - one.undeclared_at) / timedelta(seconds=1)
            yield Finding(
                severity="warning",
                rule="undeclared-schedule",
                what=f"schedule {one.id} does not fire: no live worker's code declares it any more",
                evidence={"schedule": one.id, "undeclared_seconds": round(since), "fired": one.fired},
                todo=f"lodger schedules delete {one.id}; or deploy the code that declares it",
            )


def broken(facts: Facts) -> Iterator[Finding]:
    """Find schedules whose timetable or call can't be read."""
    for one in facts.schedules:
        if one.state == "error":
            yield Finding(
                severity="warning",
                rule="broken-schedule",
                what=f"schedule {one.id} does not fire as it should: {one.error}",
                evidence={"schedule": one.id, "error": one.error, "origin": one.origin},
                todo="declare or store it anew so that it can be read here; what there is: lodger schedules list",
            )


def without_worker(facts: Facts) -> Iterator[Finding]:
    """Find schedules whose runs will wait, since no live worker serves them: before the first one does."""
    environment = facts.here.environment
    waiting = {one.pair for one in facts.orphans}
    for one in _active(facts) if facts.present else ():
        pair = (one.queue, one.job)
        if pair in waiting or one.queue in facts.paused or is_covered(pair, facts.workers, environment):
            continue
        near = nearest(pair, facts.workers, environment)
        yield Finding(
            severity="warning",
            rule="schedule-without-worker",
            what=f"schedule {one.id} creates runs of {one.job} in queue {one.queue}, which no live worker serves",
            evidence={
                "schedule": one.id,
                "next_at": one.next_at.isoformat() if one.next_at else "never",
                "nearest": reason(near),
            },
            todo=remedy([pair], near, facts.here),
        )


def _active(facts: Facts) -> list[ScheduleRecord]:
    return [one for one in facts.schedules if one.state == "active"]


def _overdue_seconds(facts: Facts, schedules: list[ScheduleRecord]) -> list[float]:
    """Return how late each one is; negative: it is not due."""
    return [(facts.now - one.next_at) / timedelta(seconds=1) for one in schedules if one.next_at is not None]

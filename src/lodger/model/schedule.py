"""Schedules: what is declared, what a row says, and which instants to fire now. No clock, no I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from lodger.errors import InvalidInput
from lodger.model.ids import text_of
from lodger.model.job import checked_name
from lodger.model.payload import decode, encode
from lodger.model.run import NewRun
from lodger.model.timetable import EPOCH, MICROSECOND, Timetable, due_instants, timetable_of, timetable_text
from lodger.model.unique import Unique

Overlap: TypeAlias = Literal["allow", "skip"]
"""When its last run has not ended: create another one all the same, or leave this instant out."""
Misfire: TypeAlias = Literal["latest", "skip", "all"]
"""Of the instants that have passed since the last fire: only the latest; that one if it is not late; all of them."""
Origin: TypeAlias = Literal["code", "stored"]
State: TypeAlias = Literal["active", "paused", "undeclared", "error", "ended"]

SCHEDULE_ID: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,100}")
MAX_CATCH_UP: Final = 100
"""Runs that misfire="all" creates at once: the newest of those that were missed."""
MAX_JITTER_SECONDS: Final = 86400.0
META: Final = "schedule"
"""The key of a run's meta that says which schedule and instant it is for."""
TEMPLATE: Final = ("args", "claim_rank", "max_attempts", "on_crash", "options", "meta", "tags", "expires_seconds")
UNIQUE: Final = ("key", "states", "window_seconds", "conflict")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleSpec:
    """A schedule as it was declared or stored: plain values, so that a row and a channel can carry it."""

    id: str
    timetable: Timetable
    job: str
    queue: str
    template: str
    """The rest of the runs that it creates, as JSON text."""
    overlap: Overlap = "allow"
    misfire: Misfire = "latest"
    jitter_seconds: float = 0.0

    @property
    def digest(self) -> bytes:
        """Return 32 bytes that change when anything declared does."""
        values = [self.id, timetable_text(self.timetable), self.job, self.queue, self.template]
        return hashlib.sha256(json.dumps([*values, self.overlap, self.misfire, self.jitter_seconds]).encode()).digest()

    def to_json(self) -> dict[str, Any]:
        """Return it for another process."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return values | {"timetable": timetable_text(self.timetable)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ScheduleSpec:
        """Return what ``to_json`` made."""
        return cls(**{**values, "timetable": timetable_of(values["timetable"])})


def make_spec(
    run: NewRun,
    timetable: Timetable,
    *,
    id: object,  # noqa: A002 - the word that users write
    overlap: object = "allow",
    misfire: object = "latest",
    jitter_seconds: object = 0.0,
) -> ScheduleSpec:
    """Return the schedule that creates runs like ``run``; raise InvalidInput naming the option that is wrong."""
    if run.is_scheduled:
        raise InvalidInput("delay or run_at", "an option of the call", "neither: the timetable says when")
    if META in (decode(run.meta) or {}):
        raise InvalidInput("meta key", META, "another key: the schedule's runs carry their instant under this one")
    return ScheduleSpec(
        id=checked_name("schedule id", id, SCHEDULE_ID),
        timetable=timetable,
        job=run.job,
        queue=run.queue,
        template=_template(run),
        overlap=_one_of("overlap", overlap, get_args(Overlap)),
        misfire=_one_of("misfire", misfire, get_args(Misfire)),
        jitter_seconds=_jitter(jitter_seconds),
    )


def _template(run: NewRun) -> str:
    values: dict[str, Any] = {name: getattr(run, name) for name in TEMPLATE}
    values["unique"] = {name: getattr(run.unique, name) for name in UNIQUE} if run.unique else None
    return json.dumps(values, sort_keys=True)


def _one_of(field: str, value: object, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise InvalidInput(field, value, ", ".join(map(repr, allowed)))
    return value


def _jitter(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_JITTER_SECONDS:
        raise InvalidInput("jitter_seconds", value, f"0 to {MAX_JITTER_SECONDS:g}")
    return float(value)


def run_of(
    *,
    schedule: str,
    job: str,
    queue: str,
    template: str,
    instant: datetime,
    run_at: datetime | None = None,
    by_hand: str | None = None,
) -> NewRun:
    """Return the run of one instant; its meta says which one, and whether a person asked for it.

    It has the same id whoever makes it, however often; those by hand are beside the timetable, each with its own.
    """
    values = json.loads(template)
    unique = values.pop("unique")
    origin = {"id": schedule, "instant": instant.isoformat(), "by_hand": by_hand is not None}
    meta = (decode(values.pop("meta")) or {}) | {META: origin}
    return NewRun(
        id=by_hand or fire_id(schedule, instant),
        job=job,
        queue=queue,
        run_at=run_at,
        meta=encode(meta, "meta"),
        unique=Unique(**unique) if unique else None,
        **values,
    )


def fire_id(schedule: str, instant: datetime) -> str:
    """Return the id of the run of an instant: one instant can't have two runs.

    It begins with the instant's time, as the ids of other runs with theirs (pruning walks them in that order);
    the rest is a hash (version 8 of RFC 9562).
    """
    microseconds = (instant - EPOCH) // MICROSECOND
    tail = bytearray(hashlib.sha256(f"{schedule}\x00{microseconds}".encode()).digest()[:10])
    tail[0] = 0x80 | (tail[0] & 0x0F)
    tail[2] = 0x80 | (tail[2] & 0x3F)
    return text_of((microseconds // 1000).to_bytes(6, "big") + tail)


def jittered(schedule: str, instant: datetime, jitter_seconds: float) -> datetime:
    """Return when the run of an instant is due: as late as chance has it, the same for every daemon."""
    chance = hashlib.sha256(f"{schedule}\x00{instant.isoformat()}".encode()).digest()
    return instant + timedelta(seconds=jitter_seconds * int.from_bytes(chance[:4], "big") / 2**32)


@dataclass(frozen=True, kw_only=True, slots=True)
class FirePlan:
    """What to do about a schedule that is due."""

    instants: tuple[datetime, ...]
    next_at: datetime | None
    """None: it never fires again."""
    missed: bool
    """Whether instants have passed for which no run is created."""


def plan_fires(
    timetable: Timetable, misfire: Misfire, *, first: datetime, now: datetime, late_seconds: float
) -> FirePlan:
    """Decide about a schedule whose next instant ``first`` is not after ``now``.

    The row's ``first`` counts as an instant even if this host's time zones say otherwise: they may be of another
    release than those of the host that computed it, and two hosts that don't agree must not pass it on for ever.
    """
    limit = MAX_CATCH_UP if misfire == "all" else 1
    due = due_instants(timetable, first, now, limit + 1) or [first]
    chosen = due[-limit:]
    if misfire == "skip" and chosen[0] < now - timedelta(seconds=late_seconds):
        chosen = []
    return FirePlan(
        instants=tuple(chosen), next_at=timetable.next_after(max(due[-1], first)), missed=len(chosen) < len(due)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRecord:
    """A schedule as it stands in the database. Times are aware UTC."""

    id: str
    origin: Origin
    """Declared in code, or stored at run time."""
    timetable: Timetable | None
    """None: this host can't read it, see ``error``."""
    job: str
    queue: str
    overlap: Overlap
    misfire: Misfire
    jitter_seconds: float
    next_at: datetime | None
    """The next instant; None when it never fires again."""
    last_at: datetime | None
    """The last instant for which a run was created."""
    last_run_id: str | None
    fired: int
    """Runs created on time or late, without those of run_schedule."""
    skipped: int
    """Instants left out because a run had not ended, or one held the unique key."""
    missed_at: datetime | None
    """When instants were last found to have passed without a run (nobody was there to fire them)."""
    paused_at: datetime | None
    undeclared_at: datetime | None
    """Since when no live release declares it: it does not fire."""
    error: str | None
    created_at: datetime | None

    @property
    def state(self) -> State:
        """Return in one word whether it fires, and if not, why."""
        if self.paused_at is not None:
            return "paused"
        if self.undeclared_at is not None:
            return "undeclared"
        if self.error is not None:
            return "error"
        return "ended" if self.next_at is None else "active"

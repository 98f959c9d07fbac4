"""Fire: create the runs of the instants that are due. Any number of daemons may try at once.

    read what is due ─▶ plan (pure) ─▶ [ take: compare-and-swap on version ▸ runs ▸ fire rows ▸ counts ] commit

Three guards keep an instant from being fired twice, each enough by itself: the version of the schedule's row,
the primary key (schedule, instant) of ``fire``, and the run's id, which is made of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from lodger.errors import UniqueConflict
from lodger.model.run import NewRun
from lodger.model.schedule import FirePlan, Misfire, Overlap, jittered, run_of
from lodger.store import inserts
from lodger.store.database import Conn
from lodger.store.declarations import is_declared
from lodger.store.sql import Statement, Terms, statement
from lodger.store.steps import perform
from lodger.store.values import id_in, microseconds, time_in, time_out


@dataclass(frozen=True, kw_only=True, slots=True)
class DueSchedule:
    """A schedule whose next instant has come, as it was read."""

    id: str
    timetable: str
    job: str
    queue: str
    template: str
    overlap: Overlap
    misfire: Misfire
    jitter_seconds: float
    version: int
    next_at: datetime
    last_run: Any
    """Its last run's id as the database has it."""
    now: datetime
    """By the database's clock."""


@dataclass(slots=True)
class Fired:
    """What came of one fire: the runs that are due at once and later, and instants left out."""

    queued: int = 0
    scheduled: int = 0
    skipped: int = 0


def due(conn: Conn, limit: int) -> list[DueSchedule]:
    """Return schedules whose next instant has come, the longest overdue first."""
    return [_due(row) for row in conn.dicts(select_due, limit=limit)]


@statement
def select_due(t: Terms) -> str:
    """Schedules to fire: what is in code, only while a live process declares it."""
    return f"""
SELECT id, timetable, job, queue, template, overlap, misfire, jitter_us, version, next_at, last_run_id,
  {t.now} AS now_at
FROM {t.schedule} AS s WHERE due_at <= {t.now}
  AND (origin = 'stored' OR {is_declared(t)})
ORDER BY due_at, id LIMIT :limit"""


def _due(row: dict[str, Any]) -> DueSchedule:
    next_at, now = time_out(row["next_at"]), time_out(row["now_at"])
    assert next_at is not None
    assert now is not None
    same = ("id", "timetable", "job", "queue", "template", "overlap", "misfire", "version")
    return DueSchedule(
        next_at=next_at,
        now=now,
        last_run=row["last_run_id"],
        jitter_seconds=row["jitter_us"] / 1e6,
        **{name: row[name] for name in same},
    )


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the clock and the index of what is due."""

    is_due: bool
    """Something is, though perhaps nothing that may be fired."""
    seconds_to_next: float | None
    """From the moment of this look to the next instant after it; None: there is none."""


def look(conn: Conn) -> Look:
    """Return whether anything is due, and how long it is to what is not.

    Both by one reading of the database's clock: an instant that comes between two readings would be in neither.
    """
    now, first, following = map(time_out, conn.rows(look_ahead)[0])
    assert now is not None
    away = None if following is None else (following - now).total_seconds()
    return Look(first is not None and first <= now, away)


@statement
def look_ahead(t: Terms) -> str:
    """The clock, what is due first, and what is due next."""
    return f"""
SELECT {t.now}, (SELECT MIN(due_at) FROM {t.schedule} WHERE due_at IS NOT NULL),
  (SELECT MIN(due_at) FROM {t.schedule} WHERE due_at > {t.now})"""


def fire(conn: Conn, due: Sequence[tuple[DueSchedule, FirePlan]], scheduler: str) -> dict[str, Fired]:
    """Create the planned runs; return what came of it by schedule, without those that somebody else has touched.

    Call it inside a transaction: all of it stands or falls together. The rows are taken in the order of their
    ids, so that daemons with overlapping batches wait for each other in no circle.
    """
    taken = [one for one in sorted(due, key=lambda one: one[0].id) if _take(conn, *one)]
    known = _fired_before(conn, taken)
    batch = _Batch(conn, scheduler)
    fired: dict[str, Fired] = {}
    for schedule, plan in taken:
        fresh = [instant for instant in plan.instants if (schedule.id, instant) not in known]
        fired[schedule.id] = batch.add(schedule, fresh)
    batch.write()
    return fired


def _take(conn: Conn, schedule: DueSchedule, plan: FirePlan) -> bool:
    params = {"id": schedule.id, "version": schedule.version, "missed": int(plan.missed)}
    return conn.write(take_schedule, next_at=time_in(conn.dialect, plan.next_at), **params) == 1


@statement
def take_schedule(t: Terms) -> str:
    """Move a schedule on to its next instant, if nobody has touched it since it was read."""
    return f"""
UPDATE {t.schedule} SET next_at = :next_at, due_at = :next_at, version = version + 1, error = NULL,
  missed_at = CASE WHEN :missed = 1 THEN {t.now} ELSE missed_at END
WHERE id = :id AND version = :version"""


def _fired_before(conn: Conn, taken: Sequence[tuple[DueSchedule, FirePlan]]) -> set[tuple[str, datetime | None]]:
    """Return which instants were fired before: a schedule's row may have come back from a backup."""
    planned = [(schedule.id, plan.instants[0]) for schedule, plan in taken if plan.instants]
    if not planned:
        return set()
    params: dict[str, Any] = {}
    for place, (schedule, first) in enumerate(planned):
        params |= {f"id_{place}": schedule, f"first_{place}": time_in(conn.dialect, first)}
    return {(row[0], time_out(row[1])) for row in conn.rows(select_fired(len(planned)), **params)}


@lru_cache(maxsize=256)
def select_fired(count: int) -> Statement:
    """The instants that ``count`` schedules were fired for, each from one on: a range of the primary key each."""

    def build(t: Terms) -> str:
        ranges = " OR ".join(f"(schedule_id = :id_{n} AND instant >= {t.time(f':first_{n}')})" for n in range(count))
        return f"SELECT schedule_id, instant FROM {t.fire} WHERE {ranges}"

    return Statement(build)


class _Batch:
    """The runs of some schedules: decided one by one, written together."""

    def __init__(self, conn: Conn, scheduler: str) -> None:
        """Collect for ``conn``, in the name of ``scheduler``."""
        self._conn = conn
        self._scheduler = id_in(conn.dialect, scheduler)
        self._runs: list[NewRun] = []
        self._fires: list[dict[str, Any]] = []
        self._notes: list[dict[str, Any]] = []

    def add(self, schedule: DueSchedule, instants: Sequence[datetime]) -> Fired:
        """Decide about the instants of one schedule."""
        fired = Fired()
        last: NewRun | None = None
        for instant in instants:
            run = _run(schedule, instant)
            holder, outcome = None, "OVERLAP"
            if schedule.overlap == "allow" or not (last or _is_active(self._conn, schedule.last_run)):
                holder, outcome = self._create(run)
            if outcome == "FIRED":
                last = run
                fired.queued += not run.is_scheduled
                fired.scheduled += run.is_scheduled
            else:
                fired.skipped += 1
            self._note_fire(schedule, instant, outcome, holder)
        if instants:
            self._note_last(schedule, instants[-1], last, fired)
        return fired

    def _create(self, run: NewRun) -> tuple[str, str]:
        """Create a run; return its id, or that of the run that holds its unique key, and the outcome."""
        if run.unique is None:
            self._runs.append(run)
            return run.id, "FIRED"
        try:  # at once: what follows depends on who holds the key
            (inserted,) = perform(self._conn, inserts.insert(self._conn.dialect, [run]))
        except UniqueConflict as conflict:
            return conflict.holder, "UNIQUE"
        return inserted.id, "FIRED" if inserted.created else "UNIQUE"

    def _note_fire(self, schedule: DueSchedule, instant: datetime, outcome: str, run: str | None) -> None:
        dialect = self._conn.dialect
        told = {"outcome": outcome, "run": id_in(dialect, run), "scheduler": self._scheduler}
        self._fires.append({"id": schedule.id, "instant": time_in(dialect, instant), **told})

    def _note_last(self, schedule: DueSchedule, instant: datetime, last: NewRun | None, fired: Fired) -> None:
        dialect = self._conn.dialect
        counts = {"fired": fired.queued + fired.scheduled, "skipped": fired.skipped}
        told = {"last_at": time_in(dialect, instant), "run": id_in(dialect, last.id) if last else None}
        self._notes.append({"id": schedule.id, **told, **counts})

    def write(self) -> None:
        """Write all of it."""
        if self._runs:
            perform(self._conn, inserts.insert(self._conn.dialect, self._runs))
        for what, rows in ((insert_fire, self._fires), (note_last, self._notes)):
            if rows:
                self._conn.write_many(what, rows)


def _run(schedule: DueSchedule, instant: datetime) -> NewRun:
    run_at = jittered(schedule.id, instant, schedule.jitter_seconds)
    return run_of(
        schedule=schedule.id,
        job=schedule.job,
        queue=schedule.queue,
        template=schedule.template,
        instant=instant,
        run_at=run_at if run_at > schedule.now else None,
    )


def _is_active(conn: Conn, run: Any) -> bool:
    """Whether a run has not ended; one that was pruned has."""
    return run is not None and conn.value(select_active, id=run) is not None


@statement
def select_active(t: Terms) -> str:
    """A run, if it has not ended."""
    return f"SELECT 1 FROM {t.run} WHERE id = :id AND status NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"


@statement
def insert_fire(t: Terms) -> str:
    """Note that an instant was fired. The primary key allows it once; a second time is an error."""
    return f"""
INSERT INTO {t.fire} (schedule_id, instant, outcome, run_id, scheduler_id, fired_at)
VALUES (:id, :instant, :outcome, :run, :scheduler, {t.now})"""


@statement
def note_last(t: Terms) -> str:
    """Remember what was fired last, and count."""
    return f"""
UPDATE {t.schedule} SET last_at = CASE WHEN :fired > 0 THEN :last_at ELSE last_at END,
  last_run_id = COALESCE(:run, last_run_id), fired = fired + :fired, skipped = skipped + :skipped
WHERE id = :id"""


def postpone(conn: Conn, schedule: DueSchedule, error: str, seconds: float) -> None:
    """Note why a schedule can't be fired by this daemon, and leave it alone for a while; others may fare better."""
    params = {"id": schedule.id, "version": schedule.version, "error": error}
    conn.write(postpone_schedule, wait_us=microseconds(seconds), **params)


@statement
def postpone_schedule(t: Terms) -> str:
    """Look at a schedule again later, for the same instant."""
    return f"""
UPDATE {t.schedule} SET due_at = {t.after(":wait_us")}, error = :error, version = version + 1
WHERE id = :id AND version = :version"""


def prune(conn: Conn, older_than_seconds: float, limit: int = 1000) -> int:
    """Forget up to ``limit`` fires that are that old; return how many. Call it inside a transaction."""
    rows = conn.rows(select_old_fires, age_us=-microseconds(older_than_seconds), limit=limit)
    if rows:
        conn.write_many(delete_fire, [{"id": row[0], "instant": row[1]} for row in rows])
    return len(rows)


@statement
def select_old_fires(t: Terms) -> str:
    """Fires past their retention."""
    return f"SELECT schedule_id, instant FROM {t.fire} WHERE fired_at < {t.after(':age_us')} LIMIT :limit"


@statement
def delete_fire(t: Terms) -> str:
    """Forget a fire."""
    return f"DELETE FROM {t.fire} WHERE schedule_id = :id AND instant = :instant"

"""Schedules by id: read, put, pause, resume, run now, delete.

Every change is a compare-and-swap on the row's ``version``, so that it can't undo what happened since the row was
read: a daemon that is about to fire finds that it is too late, and so does a second deploy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lodger.errors import InvalidInput, ScheduleDeclared, ScheduleNotFound
from lodger.model.run import Inserted, NewRun
from lodger.model.schedule import Origin, ScheduleRecord, ScheduleSpec, run_of
from lodger.model.timetable import Timetable, timetable_of, timetable_text
from lodger.store import inserts
from lodger.store.database import Conn
from lodger.store.sql import Terms, statement
from lodger.store.steps import perform
from lodger.store.values import id_in, id_or_none, microseconds, time_in, time_out

TRIES: Final = 10
TIMES: Final = ("next_at", "last_at", "missed_at", "paused_at", "undeclared_at", "created_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What a change of a row depends on, and the database's clock."""

    origin: Origin
    version: int
    digest: bytes
    timetable: str
    declared_by: str | None
    next_at: datetime | None
    paused: bool
    undeclared: bool
    now: datetime


def head(conn: Conn, schedule: str) -> Head | None:
    """Return what there is of a schedule; None: nothing."""
    rows = conn.rows(select_head, id=schedule)
    if not rows:
        return None
    origin, version, digest, timetable, declared_by, next_at, paused_at, undeclared_at, now = rows[0]
    return Head(
        origin=origin,
        version=version,
        digest=bytes(digest),
        timetable=timetable,
        declared_by=id_or_none(declared_by),
        next_at=time_out(next_at),
        paused=paused_at is not None,
        undeclared=undeclared_at is not None,
        now=_aware(now),
    )


@statement
def select_head(t: Terms) -> str:
    """What a change of a schedule depends on."""
    return f"""
SELECT origin, version, digest, timetable, declared_by, next_at, paused_at, undeclared_at, {t.now}
FROM {t.schedule} WHERE id = :id"""


def clock(conn: Conn) -> datetime:
    """Return the database's time."""
    return _aware(conn.value(read_clock))


@statement
def read_clock(t: Terms) -> str:
    """The database's clock."""
    return f"SELECT {t.now}"


def _aware(value: Any) -> datetime:
    found = time_out(value)
    assert found is not None
    return found


# putting


def store(conn: Conn, spec: ScheduleSpec) -> None:
    """Put a schedule at run time; one of the same id is changed in place and keeps its pause and last fire.

    Raises ScheduleDeclared when code declares the id.
    """
    for _ in range(TRIES):
        found = head(conn, spec.id)
        if found is None:
            insert(conn, spec, "stored", None)
        elif found.origin != "stored":
            raise ScheduleDeclared(spec.id, "store")
        elif found.digest == spec.digest or change(conn, spec, found, None):
            return


def insert(conn: Conn, spec: ScheduleSpec, origin: Origin, declared_by: str | None) -> None:
    """Insert a schedule; whether it is there already is to be looked up afterwards."""
    values = _values(conn, spec, declared_by)
    conn.write(insert_schedule, origin=origin, next_at=_next(conn, spec.timetable, clock(conn)), **values)


@statement
def insert_schedule(t: Terms) -> str:
    """Add a schedule unless its id is taken."""
    nothing = f"ON DUPLICATE KEY UPDATE id = {t.schedule}.id" if t.dialect == "mysql" else "ON CONFLICT DO NOTHING"
    return f"""
INSERT INTO {t.schedule} (id, origin, timetable, job, queue, template, overlap, misfire, jitter_us, digest,
  declared_by, next_at, due_at, created_at)
VALUES (:id, :origin, :timetable, :job, :queue, :template, :overlap, :misfire, :jitter_us, :digest,
  :declared_by, :next_at, :next_at, {t.now})
{nothing}"""


def change(conn: Conn, spec: ScheduleSpec, found: Head, declared_by: str | None) -> bool:
    """Change a schedule in place; False when it has changed since ``found`` was read.

    What it has missed while nobody declared it is not made up for, nor what it would have missed under
    another timetable: it goes on from now.
    """
    goes_on = found.timetable == timetable_text(spec.timetable) and not found.undeclared
    next_at = time_in(conn.dialect, found.next_at) if goes_on else _next(conn, spec.timetable, found.now)
    values = _values(conn, spec, declared_by)
    return conn.write(update_schedule, version=found.version, next_at=next_at, **values) == 1


@statement
def update_schedule(t: Terms) -> str:
    """Change what is declared of a schedule; pause, last fire and counts stay."""
    return f"""
UPDATE {t.schedule} SET timetable = :timetable, job = :job, queue = :queue, template = :template, overlap = :overlap,
  misfire = :misfire, jitter_us = :jitter_us, digest = :digest, declared_by = :declared_by, version = version + 1,
  undeclared_at = NULL, error = NULL, next_at = :next_at,
  due_at = CASE WHEN paused_at IS NULL THEN {t.time(":next_at")} END
WHERE id = :id AND version = :version"""


def _values(conn: Conn, spec: ScheduleSpec, declared_by: str | None) -> dict[str, Any]:
    return {
        "id": spec.id,
        "timetable": timetable_text(spec.timetable),
        "job": spec.job,
        "queue": spec.queue,
        "template": spec.template,
        "overlap": spec.overlap,
        "misfire": spec.misfire,
        "jitter_us": microseconds(spec.jitter_seconds),
        "digest": spec.digest,
        "declared_by": id_in(conn.dialect, declared_by),
    }


def _next(conn: Conn, timetable: Timetable, now: datetime) -> Any:
    return time_in(conn.dialect, timetable.next_after(now))


# acting


def pause(conn: Conn, schedule: str) -> None:
    """Let it fire no more until it is resumed; pausing twice keeps the first moment. Raises ScheduleNotFound."""
    if not conn.write(pause_schedule, id=schedule) and head(conn, schedule) is None:
        raise ScheduleNotFound(schedule)


@statement
def pause_schedule(t: Terms) -> str:
    """Pause a schedule."""
    return f"""
UPDATE {t.schedule} SET paused_at = {t.now}, due_at = NULL, version = version + 1
WHERE id = :id AND paused_at IS NULL"""


def resume(conn: Conn, schedule: str) -> None:
    """Let it fire again from now on; instants that passed meanwhile are not made up for.

    Raises ScheduleNotFound, and InvalidInput when this host can't read its timetable.
    """
    for _ in range(TRIES):
        found = head(conn, schedule)
        if found is None:
            raise ScheduleNotFound(schedule)
        if not found.paused:
            return
        next_at = _next(conn, timetable_of(found.timetable), found.now)
        if conn.write(resume_schedule, id=schedule, version=found.version, next_at=next_at):
            return


@statement
def resume_schedule(t: Terms) -> str:
    """Resume a paused schedule."""
    return f"""
UPDATE {t.schedule} SET paused_at = NULL, next_at = :next_at, version = version + 1,
  due_at = CASE WHEN undeclared_at IS NULL THEN {t.time(":next_at")} END
WHERE id = :id AND version = :version"""


def delete(conn: Conn, schedule: str) -> None:
    """Delete a schedule; the runs it has created stay. Call it inside a transaction.

    Raises ScheduleNotFound, and ScheduleDeclared when live code declares it: it would be back in a moment.
    """
    if not conn.write(delete_schedule, id=schedule):
        if head(conn, schedule) is None:
            raise ScheduleNotFound(schedule)
        raise ScheduleDeclared(schedule, "delete")
    conn.write(delete_declarations, id=schedule)


@statement
def delete_schedule(t: Terms) -> str:
    """Delete a schedule that was stored, or that no code declares any more."""
    return f"DELETE FROM {t.schedule} WHERE id = :id AND (origin = 'stored' OR undeclared_at IS NOT NULL)"


@statement
def delete_declarations(t: Terms) -> str:
    """Forget who declared a schedule."""
    return f"DELETE FROM {t.declaration} WHERE schedule_id = :id"


def run_now(conn: Conn, schedule: str, run_id: str) -> tuple[NewRun, Inserted]:
    """Create a run at once, beside the timetable, paused or not. Call it inside a transaction.

    ``run_id`` is new, and the same in all repetitions of one: a commit whose reply was lost stays one run. Raises
    ScheduleNotFound, and UniqueConflict if its call says so.
    """
    rows = conn.rows(select_template, id=schedule)
    if not rows:
        raise ScheduleNotFound(schedule)
    job, queue, template, now = rows[0]
    instant = _aware(now)
    run = run_of(schedule=schedule, job=job, queue=queue, template=template, instant=instant, by_hand=run_id)
    (inserted,) = perform(conn, inserts.insert(conn.dialect, [run]))
    if inserted.created:
        conn.write(note_last_run, id=schedule, run=id_in(conn.dialect, run.id))
    return run, inserted


@statement
def select_template(t: Terms) -> str:
    """What the runs of a schedule are made of."""
    return f"SELECT job, queue, template, {t.now} FROM {t.schedule} WHERE id = :id"


@statement
def note_last_run(t: Terms) -> str:
    """Remember a run made by hand as the last one: the next instant may have to wait for its end."""
    return f"UPDATE {t.schedule} SET last_run_id = :run WHERE id = :id"


# reading


def listing(conn: Conn) -> list[ScheduleRecord]:
    """Return all schedules, by id."""
    return [_record(row) for row in conn.dicts(list_schedules)]


def get(conn: Conn, schedule: str) -> ScheduleRecord:
    """Return one schedule; raise ScheduleNotFound."""
    rows = conn.dicts(select_schedule, id=schedule)
    if not rows:
        raise ScheduleNotFound(schedule)
    return _record(rows[0])


READ: Final = (
    "id, origin, timetable, job, queue, overlap, misfire, jitter_us, next_at, paused_at, undeclared_at, missed_at, "
    "last_at, last_run_id, fired, skipped, error, created_at"
)


@statement
def list_schedules(t: Terms) -> str:
    """All schedules."""
    return f"SELECT {READ} FROM {t.schedule} ORDER BY id"


@statement
def select_schedule(t: Terms) -> str:
    """One schedule."""
    return f"SELECT {READ} FROM {t.schedule} WHERE id = :id"


def _record(row: dict[str, Any]) -> ScheduleRecord:
    timetable, unreadable = _readable(row["timetable"])
    return ScheduleRecord(
        id=row["id"],
        origin=row["origin"],
        timetable=timetable,
        job=row["job"],
        queue=row["queue"],
        overlap=row["overlap"],
        misfire=row["misfire"],
        jitter_seconds=row["jitter_us"] / 1e6,
        last_run_id=id_or_none(row["last_run_id"]),
        fired=row["fired"],
        skipped=row["skipped"],
        error=row["error"] or unreadable,
        **{name: time_out(row[name]) for name in TIMES},
    )


def _readable(text: str) -> tuple[Timetable | None, str | None]:
    try:
        return timetable_of(text), None
    except InvalidInput as error:
        return None, str(error)

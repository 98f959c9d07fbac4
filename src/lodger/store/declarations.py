"""What code declares: which live processes declare which schedules, and what becomes of the others.

Several releases live side by side while a deploy rolls. In force is what the *newest live* worker or daemon
declares; a schedule that none of them declares does not fire, and is flagged after a while. The reasons are in
docs/decisions/0010-live-declarations.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lodger.model.schedule import ScheduleSpec
from lodger.store import schedules
from lodger.store.database import Conn
from lodger.store.fragments import is_silent
from lodger.store.schedules import TRIES, Head
from lodger.store.sql import Statement, Terms, statement
from lodger.store.values import id_in, id_out, microseconds, time_out

Owners = Mapping[str, datetime]
"""The live workers and daemons, and since when they are there."""


def declare(conn: Conn, specs: Sequence[ScheduleSpec], owner: str | None) -> list[str]:
    """Put what code declares; return the ids that were stored at run time, which stay as they are.

    ``owner``: the worker or daemon whose code this is; None: a process without a row (a web process), whose
    word counts as long as no live one says otherwise. Cheap when there is nothing new.
    """
    known = {row[0]: (row[1], bytes(row[2]), row[3] is not None) for row in conn.rows(select_digests)}
    news = [spec for spec in specs if known.get(spec.id) != ("code", spec.digest, False)]
    owners = live_owners(conn) if news else {}
    taken = [spec.id for spec in news if not _declare_one(conn, spec, owner, owners)]
    if owner is not None:
        _note(conn, owner, [spec.id for spec in specs if spec.id not in taken])
    return taken


@statement
def select_digests(t: Terms) -> str:
    """What there is to compare declarations with."""
    return f"SELECT id, origin, digest, undeclared_at FROM {t.schedule}"


def _declare_one(conn: Conn, spec: ScheduleSpec, owner: str | None, owners: Owners) -> bool:
    """Put one; False when its id is that of a stored schedule."""
    for _ in range(TRIES):
        found = schedules.head(conn, spec.id)
        if found is None:
            schedules.insert(conn, spec, "code", owner)
            continue
        if found.origin == "stored":
            return False
        wanted = _differs(found, spec, owner) and _may_change(found, owner, owners)
        if not wanted or schedules.change(conn, spec, found, owner):
            break
    return True


def _differs(found: Head, spec: ScheduleSpec, owner: str | None) -> bool:
    """Whether there is something to write; a web process does not bring back what no worker declares."""
    return found.digest != spec.digest or (found.undeclared and owner is not None)


def _may_change(found: Head, owner: str | None, owners: Owners) -> bool:
    """Whether ``owner`` is newer than the live process whose declaration is in force; the id decides a tie."""
    if found.declared_by is None or found.declared_by not in owners:
        return True
    return (
        owner is not None
        and owner in owners
        and (owners[owner], owner) >= (owners[found.declared_by], found.declared_by)
    )


def live_owners(conn: Conn) -> Owners:
    """Return the workers and daemons that beat, with when they started."""
    rows = [(id_out(row[0]), time_out(row[1])) for row in conn.rows(select_live_owners)]
    return {owner: since for owner, since in rows if since is not None}


@statement
def select_live_owners(t: Terms) -> str:
    """Live workers and daemons."""
    return "\nUNION ALL\n".join(
        f"SELECT id, started_at FROM {table} WHERE dead_at IS NULL AND NOT {is_silent(t)}"
        for table in (t.worker, t.scheduler)
    )


def _note(conn: Conn, owner: str, declared: Sequence[str]) -> None:
    """Note that the owner declares these, and these alone."""
    key = id_in(conn.dialect, owner)
    noted = {row[0] for row in conn.rows(select_declared, owner=key)}
    for statement_, ids in ((insert_declaration, set(declared) - noted), (delete_declaration, noted - set(declared))):
        _write_each(conn, statement_, [{"id": one, "owner": key} for one in sorted(ids)])


def _write_each(conn: Conn, what: Statement, batch: list[dict[str, Any]]) -> None:
    if batch:
        conn.write_many(what, batch)


@statement
def select_declared(t: Terms) -> str:
    """What an owner declares."""
    return f"SELECT schedule_id FROM {t.declaration} WHERE owner = :owner"


@statement
def insert_declaration(t: Terms) -> str:
    """Note a declaration."""
    nothing = (
        f"ON DUPLICATE KEY UPDATE owner = {t.declaration}.owner" if t.dialect == "mysql" else "ON CONFLICT DO NOTHING"
    )
    return f"INSERT INTO {t.declaration} (schedule_id, owner) VALUES (:id, :owner) {nothing}"


@statement
def delete_declaration(t: Terms) -> str:
    """Forget a declaration."""
    return f"DELETE FROM {t.declaration} WHERE schedule_id = :id AND owner = :owner"


def is_declared(t: Terms, alive: str = "") -> str:
    """Return the condition that a live process declares the schedule ``s``; ``alive`` widens 'live'."""
    live = f"(o.dead_at IS NULL AND NOT {is_silent(t)}{alive})"
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {t.declaration} AS d JOIN {table} AS o ON o.id = d.owner\n"
        f"    WHERE d.schedule_id = s.id AND {live})"
        for table in (t.worker, t.scheduler)
    )


def flag_undeclared(conn: Conn, grace_seconds: float) -> int:
    """Flag the schedules that no process has declared for ``grace_seconds``; return how many.

    The grace is for deploys: between the end of the old worker and the start of the new one nobody declares
    anything. Call it only after that long without trouble of one's own, or all beats look old.
    """
    return conn.write(flag_schedules, grace_us=-microseconds(grace_seconds))


@statement
def flag_schedules(t: Terms) -> str:
    """Flag what nobody has declared of late."""
    recent = is_declared(t, f" OR o.beat_at > {t.after(':grace_us')}")
    return f"""
UPDATE {t.schedule} AS s SET undeclared_at = {t.now}, due_at = NULL, version = version + 1
WHERE origin = 'code' AND undeclared_at IS NULL
  AND created_at < {t.after(":grace_us")}
  AND NOT ({recent})"""


def prune(conn: Conn) -> int:
    """Forget the declarations of workers and daemons that are forgotten; return how many."""
    return conn.write(delete_orphaned)


@statement
def delete_orphaned(t: Terms) -> str:
    """Forget what nobody's declarations are."""
    return f"""
DELETE FROM {t.declaration} WHERE NOT EXISTS (SELECT 1 FROM {t.worker} AS o WHERE o.id = {t.declaration}.owner)
  AND NOT EXISTS (SELECT 1 FROM {t.scheduler} AS o WHERE o.id = {t.declaration}.owner)"""

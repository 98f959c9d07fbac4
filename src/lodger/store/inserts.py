"""Enqueue: insert runs, one or many, in whose transaction it may be.

Inserting is always 'or do nothing': an id sent again (its commit reply was lost) makes no second run, and
a unique key that is held never raises inside the app's transaction. Who holds it is read afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

from lodger.errors import UniqueConflict, UniqueTimeout
from lodger.model.run import Inserted, NewRun
from lodger.model.unique import Unique
from lodger.store.database import WAIT_SECONDS
from lodger.store.faults import is_lock_timeout
from lodger.store.fragments import window_is_over
from lodger.store.patience import bounded
from lodger.store.portions import portions
from lodger.store.sql import DialectName, Statement, Terms, statement
from lodger.store.steps import Step, Steps
from lodger.store.values import array_in, id_in, id_out, microseconds, time_in

Shape: TypeAlias = Literal["plain", "ready", "scheduled"]
"""plain: due now, nothing special (the usual one: fewer columns, faster); ready: due now; scheduled: later."""

CHUNK: Final = 256
TRIES: Final = 3

# What each row brings, and its PostgreSQL type for unnest.
PLAIN: Final = {
    "id": "uuid",
    "job": "text",
    "queue": "text",
    "claim_rank": "integer",
    "max_attempts": "integer",
    "on_crash": "text",
    "args": "text",
}
FULL: Final = PLAIN | {
    "options": "text",
    "meta": "text",
    "tags": "text",
    "unique_slot": "bytea",
    "unique_scope": "text",
    "window_us": "bigint",
    "expires_us": "bigint",
}
LATER: Final = FULL | {"run_at": "timestamptz", "delay_us": "bigint"}
FIELDS: Final[dict[Shape, dict[str, str]]] = {"plain": PLAIN, "ready": FULL, "scheduled": LATER}


def insert(dialect: DialectName, runs: Sequence[NewRun], *, in_app: bool = False) -> Steps[list[Inserted]]:
    """Insert ``runs``; answer for each its id, or the holder of its unique key.

    Raises UniqueConflict for a key that is held when the run asked for that (``conflict="raise"``, or
    ``"replace"`` and the holder is running), and UniqueTimeout when a transaction that may be taking it does
    not end. ``in_app``: in a transaction of the app's, whose patience with locks is its own but for this.
    """
    keys = [run.unique.key for run in runs if run.unique is not None]
    steps = _insert(dialect, runs)
    if not keys or dialect == "sqlite":  # SQLite's one writer waits as for everything else
        return (yield from steps)
    try:
        return (yield from (bounded(dialect, steps) if in_app else steps))
    except Exception as error:
        if is_lock_timeout(dialect, error):
            raise UniqueTimeout(keys, WAIT_SECONDS) from error
        raise


def _insert(dialect: DialectName, runs: Sequence[NewRun]) -> Steps[list[Inserted]]:
    yield from _insert_steps(dialect, runs)
    inserted: list[Inserted] = []
    for run in runs:
        if run.unique is None:
            inserted.append(Inserted(id=run.id, created=True))
        else:
            inserted.append((yield from _settle(dialect, run, run.unique)))
    return inserted


def _settle(dialect: DialectName, run: NewRun, unique: Unique) -> Steps[Inserted]:
    """Find out who holds the key of ``run`` and act on it."""
    holder, status = run.id, ""
    for _ in range(TRIES):
        slot = {"slot": unique.slot(run.job)}
        rows = yield Step(unique_holder, slot, answers=True)
        if dialect == "mysql" and not (rows and id_out(rows[0][0]) == run.id):
            rows = yield Step(unique_holder_now, slot, answers=True)
        if rows:
            holder, status = id_out(rows[0][0]), rows[0][1]
        # Sent again after a lost commit reply, the run may long have let go of its key.
        if (rows and holder == run.id) or (yield Step(is_there, {"id": id_in(dialect, run.id)}, answers=True)):
            return Inserted(id=run.id, created=True)
        if rows and rows[0][2]:
            yield Step(let_go, slot | {"id": rows[0][0]})
        if not rows or rows[0][2]:  # the holder let go between our insert and this read, or just now
            yield _one_step(dialect, run)
            continue
        if unique.conflict == "return":
            return Inserted(id=holder, created=False)
        if unique.conflict == "raise" or status == "RUNNING":
            break
        yield Step(replace_waiting, {"id": id_in(dialect, holder)})
        yield _one_step(dialect, run)
    raise UniqueConflict(unique.key, holder, status)


@statement
def unique_holder(t: Terms) -> str:
    """Who holds this unique slot, as far as the transaction sees, and whether it no longer may."""
    return _holder(t)


@statement
def unique_holder_now(t: Terms) -> str:
    """Who holds this unique slot by now (MariaDB, MySQL).

    In an app's transaction, REPEATABLE READ by default, this locks the gap before the slot too. So it is asked for
    only after a conflict, whose INSERT has locked that gap already.
    """
    return f"{_holder(t)} {t.latest()}"


def _holder(t: Terms) -> str:
    over = f"CASE WHEN {window_is_over(t)} THEN 1 ELSE 0 END"
    return f"SELECT id, status, {over} FROM {t.run} WHERE unique_slot = :slot"


@statement
def let_go(t: Terms) -> str:
    """Take the key from a run that no longer may hold it; the sweep of a worker may come later, or never."""
    return f"UPDATE {t.run} SET unique_slot = NULL WHERE id = :id AND unique_slot = :slot AND {window_is_over(t)}"


@statement
def is_there(t: Terms) -> str:
    """Whether a run with this id was ever inserted, by an earlier transaction or this one.

    Without a lock: where the id is not, that would be one on the gap that all new ids go into.
    """
    return f"SELECT 1 FROM {t.run} WHERE id = :id"


@statement
def replace_waiting(t: Terms) -> str:
    """Take the key from a holder that has not started; a finished one in its window just lets go."""
    return f"""
UPDATE {t.run} SET
  completed_at = CASE WHEN completed_at IS NULL THEN {t.now} ELSE completed_at END,
  ready_queue = NULL, scheduled_at = NULL, unique_slot = NULL, unique_until = NULL,
  status = CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN status ELSE 'CANCELLED' END
WHERE id = :id AND status <> 'RUNNING'"""


def _insert_steps(dialect: DialectName, runs: Sequence[NewRun]) -> Iterator[Step]:
    """Yield as few inserts as the engine allows, keeping the order of ``runs``."""
    if len(runs) == 1:
        yield _one_step(dialect, runs[0])
        return
    for shape, group in groupby(runs, key=_shape):
        for portion in portions(group, _chars):
            yield from _portion_steps(dialect, shape, [_row(dialect, run, shape) for run in portion])


def _portion_steps(dialect: DialectName, shape: Shape, rows: list[dict[str, Any]]) -> Iterator[Step]:
    if dialect == "postgresql":
        yield Step(insert_arrays(shape), {name: array_in(row[name] for row in rows) for name in FIELDS[shape]})
        return
    start = 0
    for size in _chunk_sizes(len(rows)):
        chunk = rows[start : start + size]
        params = {f"{name}_{i}": value for i, row in enumerate(chunk) for name, value in row.items()}
        yield Step(insert_values(shape, size), params)
        start += size


def _chars(run: NewRun) -> int:
    return len(run.args) + len(run.meta or "") + len(run.options or "") + len(run.tags or "")


def _one_step(dialect: DialectName, run: NewRun) -> Step:
    shape = _shape(run)
    return Step(insert_one(shape), _row(dialect, run, shape))


def _shape(run: NewRun) -> Shape:
    if run.is_scheduled:
        return "scheduled"
    plain = (run.options or run.meta or run.tags or run.unique) is None and run.expires_seconds is None
    return "plain" if plain else "ready"


def _row(dialect: DialectName, run: NewRun, shape: Shape) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id_in(dialect, run.id),
        "job": run.job,
        "queue": run.queue,
        "claim_rank": run.claim_rank,
        "max_attempts": run.max_attempts,
        "on_crash": run.on_crash,
        "args": run.args,
    }
    if shape == "plain":
        return row
    unique = run.unique
    row |= {
        "options": run.options,
        "meta": run.meta,
        "tags": run.tags,
        "unique_slot": unique.slot(run.job) if unique else None,
        "unique_scope": unique.states if unique else None,
        "window_us": microseconds(unique.window_seconds) if unique and unique.window_seconds else None,
        "expires_us": None if run.expires_seconds is None else microseconds(run.expires_seconds),
    }
    if shape == "scheduled":
        row |= {"run_at": time_in(dialect, run.run_at), "delay_us": microseconds(run.delay_seconds)}
    return row


def _chunk_sizes(count: int) -> Iterator[int]:
    """Yield sizes that add up to ``count`` out of a few fixed ones, so that few texts are ever made."""
    size = CHUNK
    while count:
        while size > count:
            size //= 2
        yield size
        count -= size


@lru_cache
def insert_one(shape: Shape) -> Statement:
    """Insert one run of this shape."""
    return Statement(
        lambda t: _sql(t, shape, f"VALUES ({_values(t, shape, lambda n: f':{n}')})"), f"insert_one_{shape}"
    )


@lru_cache
def insert_values(shape: Shape, count: int) -> Statement:
    """Insert ``count`` runs with one list of VALUES (SQLite, MariaDB, MySQL)."""

    def build(t: Terms) -> str:
        rows = (f"({_values(t, shape, lambda n, i=i: f':{n}_{i}')})" for i in range(count))  # type: ignore[misc]
        return _sql(t, shape, "VALUES " + ",\n  ".join(rows))

    return Statement(build, f"insert_{count}_{shape}")


@lru_cache
def insert_arrays(shape: Shape) -> Statement:
    """Insert any number of runs, one array per column, as text (PostgreSQL)."""

    def build(t: Terms) -> str:
        arrays = ", ".join(f"CAST(CAST(:{name} AS text) AS {kind}[])" for name, kind in FIELDS[shape].items())
        source = f"unnest({arrays}) AS r ({', '.join(FIELDS[shape])})"
        return _sql(t, shape, f"SELECT {_values(t, shape, lambda n: f'r.{n}')} FROM {source}")

    return Statement(build, f"insert_arrays_{shape}")


def _sql(t: Terms, shape: Shape, source: str) -> str:
    """Return the whole INSERT around ``source``."""
    columns = "id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at"
    if shape != "plain":
        columns += ", options, meta, tags, unique_slot, unique_scope, unique_until, expires_at"
    if shape == "scheduled":
        columns += ", scheduled_at"
    # ON DUPLICATE KEY UPDATE that changes nothing: INSERT IGNORE would also hide values that do not fit.
    nothing = f"ON DUPLICATE KEY UPDATE id = {t.run}.id" if t.dialect == "mysql" else "ON CONFLICT DO NOTHING"
    return f"INSERT INTO {t.run} ({columns})\n{source}\n{nothing}"


def _values(t: Terms, shape: Shape, ref: Callable[[str], str]) -> str:
    """Return the expressions in the order of the columns; ``ref`` names a field of the row."""
    fields = [ref(name) for name in ("id", "job", "queue", "claim_rank", "max_attempts", "on_crash", "args")]
    due = t.now
    if shape == "scheduled":
        due = f"COALESCE({ref('run_at')}, {t.after(ref('delay_us'))})"
        if t.dialect == "postgresql":
            due = f"COALESCE(CAST({ref('run_at')} AS timestamptz), {t.after(ref('delay_us'))})"
        fields += ["'SCHEDULED'", "NULL", due, "NULL"]
    else:
        fields += ["'QUEUED'", ref("queue"), due, due]
    if shape != "plain":
        fields += [ref(name) for name in ("options", "meta", "tags", "unique_slot", "unique_scope")]
        fields += [t.after(ref("window_us")), t.after(ref("expires_us"))]
    if shape == "scheduled":
        fields.append(due)
    return ", ".join(fields)

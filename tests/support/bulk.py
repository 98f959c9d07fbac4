"""Rows by the million, made by the database itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lodger.store.sql import Terms
from tests.support.store import Store

AGE_DAYS = 30
"""The rows are that old; each is a millisecond younger than the one before it, as its id says too."""

FINISHED = {"status": "'SUCCEEDED'", "started_at": "d", "completed_at": "d", "fence": "1", "attempt": "1"}
QUEUED = {"status": "'QUEUED'", "ready_queue": "'default'"}
SCHEDULED = {"status": "'SCHEDULED'", "scheduled_at": "d"}


def load(store: Store, count: int, columns: Mapping[str, str], *, start: int = 0) -> None:
    """Insert `count` runs; `columns` are SQL over `i`, which counts from `start` + 1, and `d`, the row's time."""
    base_ms = round((time.time() - AGE_DAYS * 86400) * 1000)
    values = {"id": _id(store, base_ms), "job": "'j'", "queue": "'default'", "claim_rank": "0", "args": "'{}'"}
    values |= {"run_at": "d", "queued_at": "d", **columns}

    def sql(t: Terms) -> str:
        due = t.after(f"(i * 1000 - {AGE_DAYS * 86400_000_000})")
        source = f"(SELECT i, {due} AS d FROM {_numbers(t, start + 1, start + count)}) AS numbered"
        return f"INSERT INTO {t.run} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {source}"

    with store.database.connect() as conn:
        if store.dialect == "sqlite":
            conn.raw.create_function("make_id", 2, _make_id, deterministic=True)
        conn.run(sql(Terms(store.dialect, store.database.tables)))


def freeze_statistics(store: Store) -> None:
    """Let the planner believe that the tables are empty, until `refresh_statistics`: nothing refreshes by itself."""
    with store.database.connect() as conn:
        if store.dialect == "postgresql":
            conn.run("ALTER TABLE lodger_run SET (autovacuum_enabled = off)")
        elif store.dialect == "mysql":
            conn.run("ALTER TABLE lodger_run STATS_AUTO_RECALC = 0")
    refresh_statistics(store)


def refresh_statistics(store: Store) -> None:
    """Tell the planner what is in the tables."""
    if store.dialect == "mysql":
        store.rows(lambda t: f"ANALYZE TABLE {t.run}")  # it answers a table
    else:
        store.change(lambda _: "ANALYZE")


def _numbers(t: Terms, first: int, last: int) -> str:
    match t.dialect:
        case "postgresql":
            return f"generate_series({first}, {last}) AS g (i)"
        case "mysql":
            return f"(SELECT CAST(seq AS SIGNED) AS i FROM seq_{first}_to_{last}) AS g"
        case "sqlite":
            more = f"SELECT {first} UNION ALL SELECT i + 1 FROM g WHERE i < {last}"
            return f"(WITH RECURSIVE g (i) AS ({more}) SELECT i FROM g) AS g"


def _id(store: Store, base_ms: int) -> str:
    """An id as `first_id_at` makes them, with the number in its tail."""
    match store.dialect:
        case "postgresql":
            return f"CAST(lpad(to_hex({base_ms} + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0') AS uuid)"
        case "mysql":
            return f"UNHEX(CONCAT(LPAD(HEX({base_ms} + i), 12, '0'), '70008000', LPAD(HEX(i), 12, '0')))"
        case "sqlite":
            return f"make_id({base_ms}, i)"


def _make_id(base_ms: int, number: int) -> Any:
    return (base_ms + number).to_bytes(6, "big") + b"\x70\x00\x80\x00" + number.to_bytes(6, "big")

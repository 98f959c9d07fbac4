"""SQLite through the standard library: one file and one connection for each table set."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .model import (
    ARGS,
    FOREIGN_JOB,
    JOBS,
    QUEUE,
    RESULT,
    Action,
    Claimed,
    Layout,
    Load,
    Table,
    by_fence,
    expect,
    names_of,
    thirds,
    uuid7,
)

OWNER = uuid7()
NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000"
COLUMNS = "id, job, queue, ready_queue, claim_rank, args, unique_slot"
# SQLite has its own unhex() from 3.41 on; before that a Python function stands in.
OWN_UNHEX = sqlite3.sqlite_version_info < (3, 41)


def columns_sql(layout: Layout) -> str:
    state = "" if layout.split else "ready_queue TEXT, scheduled_at INTEGER, owner BLOB,"
    kind = "TEXT" if layout.text_status else "INTEGER"
    return f"""id BLOB PRIMARY KEY NOT NULL, job TEXT NOT NULL, queue TEXT NOT NULL,
        status {kind} NOT NULL DEFAULT {layout.status("QUEUED")}, {state}
        claim_rank INTEGER NOT NULL, run_at INTEGER NOT NULL DEFAULT ({NOW}),
        fence INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0,
        max_attempts INTEGER NOT NULL DEFAULT 5, unique_slot BLOB, args TEXT NOT NULL,
        meta TEXT, result TEXT, error TEXT, queued_at INTEGER NOT NULL DEFAULT ({NOW}),
        started_at INTEGER, completed_at INTEGER"""


CHECKS = """, CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
    CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
    CHECK ((status = 'RUNNING') = (owner IS NOT NULL))"""


def ddl(table: Table) -> str:
    t, layout = table.name, table.layout
    checks = CHECKS if layout.checks else ""
    return f"""CREATE TABLE {t} ({columns_sql(layout)}{checks}) WITHOUT ROWID;
        CREATE UNIQUE INDEX {t}_slot ON {t} (unique_slot) WHERE unique_slot IS NOT NULL;
        {split_ddl(t) if layout.split else index_ddl(t, layout)}"""


def index_ddl(t: str, layout: Layout) -> str:
    owner = f"CREATE INDEX {t}_owner ON {t} (owner) WHERE owner IS NOT NULL;"
    if layout.by_status:
        return f"""{owner}
            CREATE INDEX {t}_claim ON {t} (queue, claim_rank, run_at, id) WHERE status = 'QUEUED';
            CREATE INDEX {t}_due ON {t} (scheduled_at) WHERE status = 'SCHEDULED';"""
    return f"""{owner}
        CREATE INDEX {t}_claim ON {t} (ready_queue, claim_rank, run_at, id{layout.claim_tail})
            WHERE ready_queue IS NOT NULL;
        CREATE INDEX {t}_due ON {t} (scheduled_at) WHERE scheduled_at IS NOT NULL;"""


def split_ddl(t: str) -> str:
    return f"""CREATE TABLE {t}_ready (id BLOB PRIMARY KEY NOT NULL, queue TEXT NOT NULL,
            claim_rank INTEGER NOT NULL, run_at INTEGER NOT NULL,
            fence INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
        CREATE INDEX {t}_ready_claim ON {t}_ready (queue, claim_rank, run_at, id);
        CREATE TABLE {t}_claimed (id BLOB PRIMARY KEY NOT NULL, owner BLOB NOT NULL,
            fence INTEGER NOT NULL, attempt INTEGER NOT NULL, started_at INTEGER) WITHOUT ROWID;
        CREATE INDEX {t}_claimed_owner ON {t}_claimed (owner);"""


# 16 ordered bytes made by SQL alone; they sort before every id made by uuid7().
ORDERED_ID = "CAST(char(1) || printf('%015d', g) AS BLOB)"
JOB_OF = "printf('app.jobs.job_%02d', g % 30)"


def load_sql(table: Table, status: str, job: str = JOB_OF, rank: int = 0) -> str:
    t, word = table.name, table.layout.status
    over, ready = status == "SUCCEEDED", status == "QUEUED"
    extra, value = "", ""
    if not table.layout.split:
        extra, value = ", ready_queue", f", {repr(QUEUE) if ready else 'NULL'}"
    times = f"{NOW}, {NOW}" if over else "NULL, NULL"
    return f"""WITH RECURSIVE series(g) AS
        (SELECT :first WHERE :first <= :last UNION ALL SELECT g + 1 FROM series WHERE g < :last)
        INSERT INTO {t} (id, job, queue, status, claim_rank, args, fence, attempt,
        started_at, completed_at{extra})
        SELECT {ORDERED_ID}, {job}, '{QUEUE}', {word(status)}, {rank}, '{ARGS}', {int(over)},
        {int(over)}, {times}{value} FROM series"""


@lru_cache
def claim_sql(table: Table, names: int) -> str:
    t, layout = table.name, table.layout
    job = f"AND job IN ({', '.join('?' * names)})" if names else ""
    ready = "queue = ? AND status = 'QUEUED'" if layout.by_status else "ready_queue = ?"
    return f"""UPDATE {t} SET status = {layout.status("RUNNING")}, ready_queue = NULL,
        owner = ?, fence = fence + 1, attempt = attempt + 1, started_at = {NOW}
        WHERE id IN (SELECT id FROM {t} WHERE {ready} {job}
            ORDER BY claim_rank, run_at, id LIMIT ?)
        RETURNING id, fence, attempt, job, args"""


def finish_head(table: Table) -> str:
    done = table.layout.status("SUCCEEDED")
    return f"UPDATE {table.name} SET status = {done}, owner = NULL, completed_at = {NOW}"


@lru_cache
def finish_sql(table: Table, shape: str, n: int) -> str:
    head, mine = finish_head(table), f"status = {table.layout.status('RUNNING')}"
    record = """(SELECT unhex(value ->> '$.id') AS id, value ->> '$.fence' AS fence,
        value -> '$.result' AS result FROM json_each(?)) AS x"""
    match = f"WHERE {table.name}.id = x.id AND {table.name}.fence = x.fence AND {mine}"
    row = f"WHERE id = ? AND fence = ? AND {mine}"
    return {
        "grouped": f"{head} WHERE id IN ({', '.join('?' * n)}) AND fence = ? AND {mine}",
        "json": f"{head} FROM {record} {match}",
        "json, results": f"{head}, result = x.result FROM {record} {match}",
        "values, results": f"""{head}, result = x.column3
            FROM (VALUES {", ".join(["(?, ?, ?)"] * n)}) AS x
            WHERE {table.name}.id = x.column1 AND {table.name}.fence = x.column2 AND {mine}""",
        "executemany": f"{head} {row}",
        "executemany, results": f"{head}, result = ? {row}",
    }[shape]


class SQLite:
    """WAL, synchronous FULL; BEGIN IMMEDIATE around everything that writes."""

    name = "sqlite"
    finish_shapes: Sequence[str] = (
        "grouped",
        "grouped, 3 fences",
        "json",
        "json, results",
        "executemany",
        "executemany, results",
        "values, results",
    )
    enqueue_shapes: Sequence[str] = ("executemany", "values", "json_each")
    together_shapes: Sequence[str] = ("two transactions", "one transaction")

    def __init__(self, url: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="lodger-layout-", dir=url or None)
        self.files: dict[str, sqlite3.Connection] = {}

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def db(self, table: Table) -> sqlite3.Connection:
        if table.name not in self.files:
            self.files[table.name] = self.open(Path(self.folder.name) / f"{table.name}.db")
        return self.files[table.name]

    def open(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if OWN_UNHEX:
            db.create_function("unhex", 1, bytes.fromhex, deterministic=True)
        return db

    def create(self, table: Table, load: Load) -> None:
        db, first = self.db(table), 1
        db.executescript(ddl(table))
        for count, sql in (
            (load.finished, load_sql(table, "SUCCEEDED")),
            (load.foreign, load_sql(table, "QUEUED", repr(FOREIGN_JOB), -1)),
            (load.waiting, load_sql(table, "QUEUED")),
        ):
            db.execute(sql, {"first": first, "last": first + count - 1})
            first += count
        if table.layout.split:
            db.execute(
                f"""INSERT INTO {table.name}_ready (id, queue, claim_rank, run_at)
                SELECT id, queue, claim_rank, run_at FROM {table.name} WHERE status = 'QUEUED'"""
            )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def tidy(self, tables: Sequence[Table]) -> None:
        """Nothing to do: SQLite keeps no dead rows."""

    def claim(self, table: Table, n: int, names: Sequence[str] | None = None) -> list[Claimed]:
        db = self.db(table)
        db.execute("BEGIN IMMEDIATE")
        taken = self.claim_in(table, n, names)
        db.execute("COMMIT")
        return taken

    def claim_in(self, table: Table, n: int, names: Sequence[str] | None) -> list[Claimed]:
        if table.layout.split:
            return self.claim_split(table, n)
        sql = claim_sql(table, len(names or ()))
        rows = self.db(table).execute(sql, (OWNER, QUEUE, *(names or ()), n)).fetchall()
        expect(len(rows), n, "claim")
        return [Claimed(row[0], row[1]) for row in rows]

    def claim_split(self, table: Table, n: int) -> list[Claimed]:
        db, t = self.db(table), table.name
        rows = db.execute(
            f"""DELETE FROM {t}_ready WHERE id IN (SELECT id FROM {t}_ready WHERE queue = ?
            ORDER BY claim_rank, run_at, id LIMIT ?) RETURNING id, fence + 1, attempt + 1""",
            (QUEUE, n),
        ).fetchall()
        expect(len(rows), n, "claim")
        db.executemany(
            f"""INSERT INTO {t}_claimed (owner, id, fence, attempt, started_at)
            VALUES (?, ?, ?, ?, {NOW})""",
            [(OWNER, *row) for row in rows],
        )
        places = ", ".join("?" * n)
        ids = [row[0] for row in rows]
        db.execute(f"SELECT id, job, args FROM {t} WHERE id IN ({places})", ids).fetchall()
        return [Claimed(row[0], row[1]) for row in rows]

    def finish(self, table: Table, runs: Sequence[Claimed], shape: str = "grouped") -> None:
        db = self.db(table)
        db.execute("BEGIN IMMEDIATE")
        self.finish_in(table, runs, shape)
        db.execute("COMMIT")

    def finish_in(self, table: Table, runs: Sequence[Claimed], shape: str) -> None:
        if table.layout.split:
            self.finish_split(table, runs)
            return
        if shape.startswith("grouped"):
            groups = by_fence(runs).items() if shape == "grouped" else thirds(runs)
            done = sum(self.finish_group(table, fence, ids) for fence, ids in groups)
        else:
            done = self.finish_rows(table, runs, shape)
        expect(done, len(runs), "finish")

    def finish_group(self, table: Table, fence: int, ids: list[Any]) -> int:
        sql = finish_sql(table, "grouped", len(ids))
        return self.db(table).execute(sql, (*ids, fence)).rowcount

    def finish_rows(self, table: Table, runs: Sequence[Claimed], shape: str) -> int:
        n = len(runs) if shape.startswith("values") else 0
        sql, db = finish_sql(table, shape, n), self.db(table)
        if n:
            return db.execute(sql, row_values(runs)).rowcount
        if shape.startswith("json"):
            return db.execute(sql, (json_rows(runs, shape),)).rowcount
        if shape == "executemany":
            return db.executemany(sql, [(run.id, run.fence) for run in runs]).rowcount
        return db.executemany(sql, [(RESULT, run.id, run.fence) for run in runs]).rowcount

    def finish_split(self, table: Table, runs: Sequence[Claimed]) -> None:
        db, t = self.db(table), table.name
        for fence, ids in by_fence(runs).items():
            places = ", ".join("?" * len(ids))
            db.execute(
                f"""UPDATE {t} SET status = 'SUCCEEDED', completed_at = {NOW}, fence = c.fence,
                attempt = c.attempt, started_at = c.started_at FROM {t}_claimed AS c
                WHERE {t}.id = c.id AND c.id IN ({places}) AND c.fence = ?""",
                (*ids, fence),
            )
            done = db.execute(
                f"DELETE FROM {t}_claimed WHERE id IN ({places}) AND fence = ?",
                (*ids, fence),
            )
            expect(done.rowcount, len(ids), "finish")

    def together(self, table: Table, runs: Sequence[Claimed], n: int, shape: str) -> list[Claimed]:
        if shape == "two transactions":
            self.finish(table, runs)
            return self.claim(table, n)
        db = self.db(table)
        db.execute("BEGIN IMMEDIATE")
        self.finish_in(table, runs, "grouped")
        taken = self.claim_in(table, n, None)
        db.execute("COMMIT")
        return taken

    def enqueue(self, table: Table, n: int, shape: str = "executemany") -> Action:
        rows = [(uuid7(), job, QUEUE, QUEUE, 0, ARGS, None) for job in names_of(n)]
        if table.layout.split:
            return self.enqueue_split(table, rows)
        write = getattr(self, f"enqueue_{shape}")
        db = self.db(table)

        def whole() -> None:
            db.execute("BEGIN IMMEDIATE")
            write(table, rows)
            db.execute("COMMIT")

        return whole

    def enqueue_split(self, table: Table, rows: list[tuple[Any, ...]]) -> Action:
        db, t = self.db(table), table.name
        run = f"INSERT INTO {t} (id, job, queue, claim_rank, args) VALUES (?, ?, ?, ?, ?)"
        ready = f"INSERT INTO {t}_ready (id, queue, claim_rank, run_at) VALUES (?, ?, ?, {NOW})"

        def write() -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(run, [(r[0], r[1], r[2], r[4], r[5]) for r in rows])
            db.executemany(ready, [(r[0], r[2], r[4]) for r in rows])
            db.execute("COMMIT")

        return write

    def enqueue_one(self, table: Table) -> Action:
        if table.layout.split:
            return self.enqueue(table, 1)
        db = self.db(table)
        sql = f"INSERT INTO {table.name} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        row = (uuid7(), JOBS[0], QUEUE, QUEUE, 0, ARGS, None)
        return lambda: void(db.execute(sql, row))

    def enqueue_executemany(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        sql = f"INSERT INTO {table.name} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self.db(table).executemany(sql, rows)

    def enqueue_values(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        sql = f"INSERT INTO {table.name} ({COLUMNS}) VALUES {places}"
        self.db(table).execute(sql, [value for row in rows for value in row])

    def enqueue_json_each(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        sql = f"""INSERT INTO {table.name} ({COLUMNS})
            SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 2, value ->> 3,
            value ->> 4, NULL FROM json_each(?)"""
        whole = json.dumps([(row[0].hex(), row[1], row[2], row[4], row[5]) for row in rows])
        self.db(table).execute(sql, (whole,))

    def explain(self, table: Table, n: int) -> dict[str, str]:
        if table.layout.split:
            return {}
        plans = {"claim": self.plan(table, claim_sql(table, 0), (OWNER, QUEUE, n))}
        named = (OWNER, QUEUE, *JOBS, n)
        plans["claim, 30 names"] = self.plan(table, claim_sql(table, len(JOBS)), named)
        ids = [uuid7() for _ in range(n)]
        plans["finish, grouped"] = self.plan(table, finish_sql(table, "grouped", n), (*ids, 1))
        runs = [Claimed(id_, 1) for id_ in ids]
        for shape in ("json", "json, results"):
            rows = (json_rows(runs, shape),)
            plans[f"finish, {shape}"] = self.plan(table, finish_sql(table, shape, 0), rows)
        by_values = finish_sql(table, "values, results", n)
        plans["finish, values, results"] = self.plan(table, by_values, row_values(runs))
        one = (ids[0], 1)
        plans["finish, executemany"] = self.plan(table, finish_sql(table, "executemany", 0), one)
        return plans

    def plan(self, table: Table, sql: str, params: Sequence[Any]) -> str:
        rows = self.db(table).execute(f"EXPLAIN QUERY PLAN {sql}", params)
        return "\n".join(row[3] for row in rows)

    def close(self) -> None:
        for db in self.files.values():
            db.close()
        self.folder.cleanup()


def json_rows(runs: Sequence[Claimed], shape: str) -> str:
    tail = f',"result":{RESULT}}}' if shape == "json, results" else "}"
    rows = [f'{{"id":"{run.id.hex()}","fence":{run.fence}{tail}' for run in runs]
    return "[" + ",".join(rows) + "]"


def row_values(runs: Sequence[Claimed]) -> list[Any]:
    return [value for run in runs for value in (run.id, run.fence, RESULT)]


def void(_: object) -> None:
    """Drops an answer."""

"""PostgreSQL through psycopg 3, without server-side preparing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.types.string import TextLoader

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

SCHEMA = "lodger_bench_layout"
OWNER = str(uuid.UUID(bytes=uuid7()))
COLUMNS = "id, job, queue, ready_queue, claim_rank, args, unique_slot"


def columns_sql(layout: Layout) -> str:
    """Columns of the run table; the split layout keeps its state elsewhere."""
    state = "" if layout.split else "ready_queue text, scheduled_at timestamptz, owner uuid,"
    kind = "text" if layout.text_status else "smallint"
    return f"""id uuid PRIMARY KEY, job text NOT NULL, queue text NOT NULL,
        status {kind} NOT NULL DEFAULT {layout.status("QUEUED")}, {state}
        claim_rank integer NOT NULL, run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        fence integer NOT NULL DEFAULT 0, attempt smallint NOT NULL DEFAULT 0,
        max_attempts smallint NOT NULL DEFAULT 5, unique_slot bytea, args jsonb NOT NULL,
        meta jsonb, result jsonb, error jsonb,
        queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz, completed_at timestamptz"""


CHECKS = """, CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
    CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
    CHECK ((status = 'RUNNING') = (owner IS NOT NULL))"""


def ddl(table: Table) -> list[str]:
    """Statements that create the table or tables of a layout."""
    t, layout = table.name, table.layout
    checks = CHECKS if layout.checks else ""
    # The benchmark vacuums between rounds itself, as the maintenance loop will.
    sql = [
        f"CREATE TABLE {t} ({columns_sql(layout)}{checks}) WITH (autovacuum_enabled = false)",
        f"CREATE UNIQUE INDEX ON {t} (unique_slot) WHERE unique_slot IS NOT NULL",
    ]
    return sql + (split_ddl(t) if layout.split else index_ddl(t, layout))


def index_ddl(t: str, layout: Layout) -> list[str]:
    owner = f"CREATE INDEX ON {t} (owner) WHERE owner IS NOT NULL"
    if layout.by_status:
        return [
            f"CREATE INDEX ON {t} (queue, claim_rank, run_at, id) WHERE status = 'QUEUED'",
            f"CREATE INDEX ON {t} (scheduled_at) WHERE status = 'SCHEDULED'",
            owner,
        ]
    columns = f"ready_queue, claim_rank, run_at, id{layout.claim_tail}"
    return [
        f"CREATE INDEX ON {t} ({columns}) WHERE ready_queue IS NOT NULL",
        f"CREATE INDEX ON {t} (scheduled_at) WHERE scheduled_at IS NOT NULL",
        owner,
    ]


def split_ddl(t: str) -> list[str]:
    off = "WITH (autovacuum_enabled = false)"
    return [
        f"""CREATE TABLE {t}_ready (id uuid PRIMARY KEY, queue text NOT NULL,
            claim_rank integer NOT NULL, run_at timestamptz NOT NULL,
            fence integer NOT NULL DEFAULT 0, attempt smallint NOT NULL DEFAULT 0) {off}""",
        f"CREATE INDEX ON {t}_ready (queue, claim_rank, run_at, id)",
        f"""CREATE TABLE {t}_claimed (id uuid PRIMARY KEY, owner uuid NOT NULL,
            fence integer NOT NULL, attempt smallint NOT NULL, started_at timestamptz) {off}""",
        f"CREATE INDEX ON {t}_claimed (owner)",
    ]


V7 = """(lpad(to_hex(%(base)s + g), 12, '0') || '7' || lpad(to_hex(g & 4095), 3, '0')
    || '8' || substr(md5(g::text), 1, 15))::uuid"""
JOB_OF = "'app.jobs.job_' || lpad((g %% 30)::text, 2, '0')"


def load_sql(table: Table, status: str, job: str = JOB_OF, rank: int = 0) -> str:
    """Rows made by the server, so that ten million of them take minutes."""
    t, word = table.name, table.layout.status
    over, ready = status == "SUCCEEDED", status == "QUEUED"
    extra, value = "", ""
    if not table.layout.split:
        extra, value = ", ready_queue", f", {repr(QUEUE) if ready else 'NULL'}"
    times = "clock_timestamp(), clock_timestamp()" if over else "NULL, NULL"
    return f"""INSERT INTO {t} (id, job, queue, status, claim_rank, args, fence, attempt,
        started_at, completed_at{extra})
        SELECT {V7}, {job}, '{QUEUE}', {word(status)}, {rank}, '{ARGS}', {int(over)}, {int(over)},
        {times}{value} FROM generate_series(%(first)s::bigint, %(last)s::bigint) g"""


@lru_cache
def claim_sql(table: Table, names: bool) -> str:
    t, layout = table.name, table.layout
    job = "AND job = ANY(%(names)s)" if names else ""
    if layout.split:
        return split_claim_sql(t)
    ready = "queue = %(queue)s AND status = 'QUEUED'"
    ready = ready if layout.by_status else "ready_queue = %(queue)s"
    return f"""UPDATE {t} SET status = {layout.status("RUNNING")}, ready_queue = NULL,
        owner = %(owner)s, fence = fence + 1, attempt = attempt + 1,
        started_at = clock_timestamp()
        WHERE id = ANY(ARRAY(SELECT id FROM {t} WHERE {ready} {job}
            ORDER BY claim_rank, run_at, id LIMIT %(n)s FOR UPDATE SKIP LOCKED))
        RETURNING id, fence, attempt, job, args"""


def split_claim_sql(t: str) -> str:
    return f"""WITH gone AS (DELETE FROM {t}_ready
            WHERE id = ANY(ARRAY(SELECT id FROM {t}_ready WHERE queue = %(queue)s
                ORDER BY claim_rank, run_at, id LIMIT %(n)s FOR UPDATE SKIP LOCKED))
            RETURNING id, fence + 1 AS fence, attempt + 1 AS attempt),
        kept AS (INSERT INTO {t}_claimed (id, owner, fence, attempt, started_at)
            SELECT id, %(owner)s, fence, attempt, clock_timestamp() FROM gone)
        SELECT id, gone.fence, gone.attempt, job, args FROM gone JOIN {t} USING (id)"""


def finish_head(table: Table) -> str:
    done = table.layout.status("SUCCEEDED")
    return f"UPDATE {table.name} r SET status = {done}, owner = NULL, completed_at = clock_timestamp()"


def guard(table: Table) -> str:
    return f"r.status = {table.layout.status('RUNNING')}"


@lru_cache
def finish_sql(table: Table, shape: str) -> str:
    t, head, mine = table.name, finish_head(table), guard(table)
    if table.layout.split:
        return f"""WITH gone AS (DELETE FROM {t}_claimed
                WHERE id = ANY(%(ids)s::uuid[]) AND fence = %(fence)s
                RETURNING id, fence, attempt, started_at)
            UPDATE {t} r SET status = {table.layout.status("SUCCEEDED")}, fence = gone.fence,
                attempt = gone.attempt, started_at = gone.started_at,
                completed_at = clock_timestamp()
            FROM gone WHERE r.id = gone.id"""
    match = f"WHERE r.id = x.id AND r.fence = x.fence AND {mine}"
    record = "jsonb_to_recordset(%(rows)s::jsonb) AS x(id uuid, fence integer, result jsonb)"
    unnest = """unnest(%(ids)s::uuid[], %(fences)s::integer[], %(results)s::jsonb[])
        AS x(id, fence, result)"""
    return {
        "grouped": f"{head} WHERE r.id = ANY(%(ids)s::uuid[]) AND r.fence = %(fence)s AND {mine}",
        "json": f"{head} FROM {record} {match}",
        "json, results": f"{head}, result = x.result FROM {record} {match}",
        "unnest, results": f"{head}, result = x.result FROM {unnest} {match}",
        # Statistics made while nothing runs promise no RUNNING row, and the planner then scans
        # the table once for each row of the batch. Hidden in a subselect, the word tells nothing.
        "json, results, status in a subselect": f"""{head}, result = x.result FROM {record}
            {match.replace(mine, f"r.status = (SELECT {table.layout.status('RUNNING')})")}""",
        # No join, so the planner has nothing to get wrong: one object, looked up by id.
        "json by key, results": f"""{head}, result = %(map)s::jsonb -> r.id::text -> 'r'
            WHERE r.id = ANY(%(ids)s::uuid[]) AND {mine}
            AND r.fence = (%(map)s::jsonb -> r.id::text -> 'f')::integer""",
    }[shape]


class PostgreSQL:
    """One connection in autocommit: every single statement is its own transaction."""

    name = "postgresql"
    finish_shapes: Sequence[str] = (
        "grouped",
        "grouped, 3 fences",
        "json",
        "json, results",
        "json by key, results",
        "json, results, status in a subselect",
        "unnest, results",
    )
    enqueue_shapes: Sequence[str] = ("unnest", "values", "copy", "jsonb_to_recordset")
    together_shapes: Sequence[str] = (
        "two transactions",
        "one transaction",
        "one transaction, pipeline",
    )

    def __init__(self, url: str) -> None:
        self.db = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        # Ids and arguments stay text: the worker decodes only what it hands to a job.
        self.db.adapters.register_loader("uuid", TextLoader)
        self.db.adapters.register_loader("jsonb", TextLoader)
        self.db.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        self.db.execute(f"CREATE SCHEMA {SCHEMA}")
        self.db.execute(f"SET search_path TO {SCHEMA}")

    def version(self) -> str:
        row = self.db.execute("SHOW server_version").fetchone()
        return f"PostgreSQL {row[0] if row else '?'}, psycopg {psycopg.__version__}"

    def create(self, table: Table, load: Load) -> None:
        for sql in ddl(table):
            self.db.execute(sql)
        first = 1
        base = (int.from_bytes(uuid7()[:6], "big")) - 100_000_000
        for count, sql in (
            (load.finished, load_sql(table, "SUCCEEDED")),
            (load.foreign, load_sql(table, "QUEUED", repr(FOREIGN_JOB), -1)),
            (load.waiting, load_sql(table, "QUEUED")),
        ):
            self.db.execute(sql, {"base": base, "first": first, "last": first + count - 1})
            first += count
        if table.layout.split:
            self.fill_ready(table)
        self.tidy([table])

    def fill_ready(self, table: Table) -> None:
        t = table.name
        self.db.execute(
            f"""INSERT INTO {t}_ready (id, queue, claim_rank, run_at)
            SELECT id, queue, claim_rank, run_at FROM {t} WHERE status = 'QUEUED'"""
        )

    def tidy(self, tables: Sequence[Table]) -> None:
        for table in tables:
            parts = ["", "_ready", "_claimed"] if table.layout.split else [""]
            for part in parts:
                self.db.execute(f"VACUUM (ANALYZE) {table.name}{part}")

    def claim(self, table: Table, n: int, names: Sequence[str] | None = None) -> list[Claimed]:
        params = {"queue": QUEUE, "owner": OWNER, "n": n, "names": names}
        rows = self.db.execute(claim_sql(table, names is not None), params).fetchall()
        expect(len(rows), n, "claim")
        return [Claimed(row[0], row[1]) for row in rows]

    def finish(self, table: Table, runs: Sequence[Claimed], shape: str = "grouped") -> None:
        if shape.startswith("grouped"):
            groups = by_fence(runs).items() if shape == "grouped" else thirds(runs)
            self.finish_groups(table, list(groups))
            return
        sql = finish_sql(table, shape)
        done = self.db.execute(sql, finish_params(runs, shape)).rowcount
        expect(done, len(runs), "finish")

    def finish_groups(self, table: Table, groups: list[tuple[int, list[Any]]]) -> None:
        sql = finish_sql(table, "grouped")
        several = len(groups) > 1
        if several:
            self.db.execute("BEGIN")
        for fence, ids in groups:
            expect(
                self.db.execute(sql, {"ids": ids, "fence": fence}).rowcount,
                len(ids),
                "finish",
            )
        if several:
            self.db.execute("COMMIT")

    def together(self, table: Table, runs: Sequence[Claimed], n: int, shape: str) -> list[Claimed]:
        if shape == "two transactions":
            self.finish(table, runs)
            return self.claim(table, n)
        if shape == "one transaction":
            self.db.execute("BEGIN")
            self.finish(table, runs)
            taken = self.claim(table, n)
            self.db.execute("COMMIT")
            return taken
        return self.pipelined(table, runs, n)

    def pipelined(self, table: Table, runs: Sequence[Claimed], n: int) -> list[Claimed]:
        sql, finishes = finish_sql(table, "grouped"), []
        with self.db.pipeline():
            self.db.execute("BEGIN")
            for fence, ids in by_fence(runs).items():
                finishes.append(self.db.execute(sql, {"ids": ids, "fence": fence}))
            params = {"queue": QUEUE, "owner": OWNER, "n": n, "names": None}
            cursor = self.db.execute(claim_sql(table, False), params)
            self.db.execute("COMMIT")
        expect(sum(done.rowcount for done in finishes), len(runs), "finish")
        return [Claimed(row[0], row[1]) for row in cursor.fetchall()]

    def enqueue(self, table: Table, n: int, shape: str = "unnest") -> Action:
        if table.layout.split:
            return self.enqueue_split(table, n)
        rows = [(str(uuid.UUID(bytes=uuid7())), job, QUEUE, 0, ARGS) for job in names_of(n)]
        write: Action = getattr(self, f"enqueue_{shape}")(table.name, rows)
        return write

    def enqueue_split(self, table: Table, n: int) -> Action:
        t = table.name
        ids = [str(uuid.UUID(bytes=uuid7())) for _ in range(n)]
        params = {"ids": ids, "jobs": names_of(n), "queue": QUEUE, "args": ARGS}
        sql = f"""WITH added AS (INSERT INTO {t} (id, job, queue, claim_rank, args)
                SELECT id, job, %(queue)s, 0, %(args)s::jsonb
                FROM unnest(%(ids)s::uuid[], %(jobs)s::text[]) AS x(id, job)
                RETURNING id, queue, claim_rank, run_at)
            INSERT INTO {t}_ready (id, queue, claim_rank, run_at) SELECT * FROM added"""
        return lambda: self.run(sql, params)

    def enqueue_one(self, table: Table) -> Action:
        if table.layout.split:
            return self.enqueue_split(table, 1)
        sql = f"""INSERT INTO {table.name} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)"""
        row = (str(uuid.UUID(bytes=uuid7())), JOBS[0], QUEUE, QUEUE, 0, ARGS, None)
        return lambda: self.run(sql, row)

    def run(self, sql: str, params: Any) -> None:
        self.db.execute(sql, params)

    def enqueue_unnest(self, t: str, rows: list[tuple[Any, ...]]) -> Action:
        sql = f"""INSERT INTO {t} ({COLUMNS}) SELECT id, job, queue, queue, claim_rank, args, slot
            FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::integer[], %s::jsonb[], %s::bytea[])
            AS x(id, job, queue, claim_rank, args, slot)"""

        def write() -> None:
            self.db.execute(sql, [*map(list, zip(*rows, strict=True)), [None] * len(rows)])

        return write

    def enqueue_values(self, t: str, rows: list[tuple[Any, ...]]) -> Action:
        def write() -> None:
            places = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(rows))
            flat = [v for i, j, q, c, a in rows for v in (i, j, q, q, c, a, None)]
            self.db.execute(f"INSERT INTO {t} ({COLUMNS}) VALUES {places}", flat)

        return write

    def enqueue_copy(self, t: str, rows: list[tuple[Any, ...]]) -> Action:
        def write() -> None:
            with self.db.cursor().copy(f"COPY {t} ({COLUMNS}) FROM STDIN") as copy:
                for id_, job, queue, rank, args in rows:
                    copy.write_row((id_, job, queue, queue, rank, args, None))

        return write

    def enqueue_jsonb_to_recordset(self, t: str, rows: list[tuple[Any, ...]]) -> Action:
        sql = f"""INSERT INTO {t} ({COLUMNS}) SELECT id, job, queue, queue, claim_rank, args, slot
            FROM jsonb_to_recordset(%s::jsonb) AS x(id uuid, job text, queue text,
            claim_rank integer, args jsonb, slot bytea)"""
        keys = ("id", "job", "queue", "claim_rank", "args")

        def write() -> None:
            whole = [dict(zip(keys, (*row[:4], json.loads(row[4])), strict=True)) for row in rows]
            self.db.execute(sql, [json.dumps(whole)])

        return write

    def explain(self, table: Table, n: int) -> dict[str, str]:
        """Plans for the values a worker would send; needs n waiting rows, changes nothing."""
        with self.db.transaction(force_rollback=True):
            plans = {"claim": self.plan(claim_sql(table, False), self.claim_params(n))}
            if not table.layout.split:
                plans["claim, 30 names"] = self.plan(claim_sql(table, True), self.claim_params(n))
            runs = self.claim(table, n)
            shapes = [s for s in self.finish_shapes if s != "grouped, 3 fences"]
            for shape in shapes[:1] if table.layout.split else shapes:
                params = finish_params(runs, shape)
                plans[f"finish, {shape}"] = self.plan(finish_sql(table, shape), params)
        return plans

    def claim_params(self, n: int) -> dict[str, Any]:
        return {"queue": QUEUE, "owner": OWNER, "n": n, "names": JOBS}

    def plan(self, sql: str, params: dict[str, Any]) -> str:
        return "\n".join(row[0] for row in self.db.execute(f"EXPLAIN (COSTS OFF) {sql}", params))

    def close(self) -> None:
        self.db.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        self.db.close()


def finish_params(runs: Sequence[Claimed], shape: str) -> dict[str, Any]:
    """Building the parameter is part of the measured cost."""
    if shape == "grouped":
        return {"ids": [run.id for run in runs], "fence": runs[0].fence}
    if shape == "unnest, results":
        ids, fences = [run.id for run in runs], [run.fence for run in runs]
        return {"ids": ids, "fences": fences, "results": [RESULT] * len(runs)}
    if shape == "json by key, results":
        pairs = [f'"{run.id}":{{"f":{run.fence},"r":{RESULT}}}' for run in runs]
        return {"ids": [run.id for run in runs], "map": "{" + ",".join(pairs) + "}"}
    # The result is JSON text already: it is put in as it is, not parsed and written again.
    tail = f',"result":{RESULT}}}' if shape.startswith("json, results") else "}"
    rows = [f'{{"id":"{run.id}","fence":{run.fence}{tail}' for run in runs]
    return {"rows": "[" + ",".join(rows) + "]"}

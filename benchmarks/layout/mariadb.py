"""MariaDB through PyMySQL, READ COMMITTED, flush at every commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import pymysql

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
OWNER = uuid7()
NOW = "SYSDATE(6)"
COLUMNS = "id, job, queue, ready_queue, claim_rank, args, unique_slot"
TEXT = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
CHUNK = 200_000  # rows in one loading transaction, so that the undo log stays small


def columns_sql(layout: Layout) -> str:
    state = "ready_queue VARCHAR(64), scheduled_at DATETIME(6), owner BINARY(16),"
    state = "" if layout.split else state
    kind = "VARCHAR(16)" if layout.text_status else "TINYINT"
    return f"""id BINARY(16) PRIMARY KEY, job VARCHAR(200) NOT NULL, queue VARCHAR(64) NOT NULL,
        status {kind} NOT NULL DEFAULT {layout.status("QUEUED")}, {state}
        claim_rank INT NOT NULL, run_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
        fence INT NOT NULL DEFAULT 0, attempt SMALLINT NOT NULL DEFAULT 0,
        max_attempts SMALLINT NOT NULL DEFAULT 5, unique_slot BINARY(32),
        args {TEXT} NOT NULL, meta {TEXT}, result {TEXT}, error {TEXT},
        queued_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
        started_at DATETIME(6), completed_at DATETIME(6), UNIQUE (unique_slot)"""


CHECKS = """, CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
    CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
    CHECK ((status = 'RUNNING') = (owner IS NOT NULL))"""
STORED = "ENGINE = InnoDB CHARACTER SET ascii COLLATE ascii_bin"


def ddl(table: Table) -> list[str]:
    t, layout = table.name, table.layout
    checks = CHECKS if layout.checks else ""
    keys = "" if layout.split else ", INDEX (scheduled_at), INDEX (owner)"
    if not layout.split:
        lead = "queue, status" if layout.by_status else "ready_queue"
        keys += f", INDEX claim_order ({lead}, claim_rank, run_at, id{layout.claim_tail})"
    return [f"CREATE TABLE {t} ({columns_sql(layout)}{keys}{checks}) {STORED}"] + (split_ddl(t) if layout.split else [])


def split_ddl(t: str) -> list[str]:
    return [
        f"""CREATE TABLE {t}_ready (id BINARY(16) PRIMARY KEY, queue VARCHAR(64) NOT NULL,
            claim_rank INT NOT NULL, run_at DATETIME(6) NOT NULL, fence INT NOT NULL DEFAULT 0,
            attempt SMALLINT NOT NULL DEFAULT 0,
            INDEX claim_order (queue, claim_rank, run_at, id)) {STORED}""",
        f"""CREATE TABLE {t}_claimed (id BINARY(16) PRIMARY KEY, owner BINARY(16) NOT NULL,
            fence INT NOT NULL, attempt SMALLINT NOT NULL, started_at DATETIME(6),
            INDEX (owner)) {STORED}""",
    ]


V7 = """UNHEX(CONCAT(LPAD(HEX({base} + seq), 12, '0'), '7', LPAD(HEX(seq & 4095), 3, '0'),
    '8', SUBSTR(MD5(seq), 1, 15)))"""
JOB_OF = "CONCAT('app.jobs.job_', LPAD(seq % 30, 2, '0'))"


def load_sql(table: Table, status: str, job: str = JOB_OF, rank: int = 0) -> str:
    """Rows made by the server from its sequence engine."""
    t, word = table.name, table.layout.status
    over, ready = status == "SUCCEEDED", status == "QUEUED"
    extra, value = "", ""
    if not table.layout.split:
        extra, value = ", ready_queue", f", {repr(QUEUE) if ready else 'NULL'}"
    times = f"{NOW}, {NOW}" if over else "NULL, NULL"
    return f"""INSERT INTO {t} (id, job, queue, status, claim_rank, args, fence, attempt,
        started_at, completed_at{extra})
        SELECT {V7}, {job}, '{QUEUE}', {word(status)}, {rank}, '{ARGS}', {int(over)},
        {int(over)}, {times}{value} FROM seq_{{first}}_to_{{last}}"""


def places(n: int) -> str:
    return ", ".join(["%s"] * n)


@lru_cache
def select_sql(table: Table, names: int) -> str:
    """The part of the claim that chooses and locks rows."""
    t, layout = table.name, table.layout
    job = f"AND job IN ({places(names)})" if names else ""
    if layout.split:
        return f"""SELECT id, fence, attempt FROM {t}_ready WHERE queue = %s
            ORDER BY claim_rank, run_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
    ready = "queue = %s AND status = 'QUEUED'" if layout.by_status else "ready_queue = %s"
    return f"""SELECT id, fence, attempt, job, args FROM {t} WHERE {ready} {job}
        ORDER BY claim_rank, run_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""


@lru_cache
def take_sql(table: Table, n: int) -> str:
    """The part of the claim that marks the locked rows, by primary key."""
    return f"""UPDATE {table.name} SET status = {table.layout.status("RUNNING")},
        ready_queue = NULL, owner = %s, fence = fence + 1, attempt = attempt + 1,
        started_at = {NOW} WHERE id IN ({places(n)})"""


@lru_cache
def finish_sql(table: Table, shape: str, n: int) -> str:
    t, word = table.name, table.layout.status
    sets = f"r.status = {word('SUCCEEDED')}, r.owner = NULL, r.completed_at = {NOW}"
    record = """JSON_TABLE(%s, '$[*]' COLUMNS (id CHAR(32) CHARACTER SET ascii PATH '$.id',
        fence INT PATH '$.fence', result JSON PATH '$.result')) AS x"""
    mine = f"r.status = {word('RUNNING')}"
    joined = f"UPDATE {record} STRAIGHT_JOIN {t} r ON r.id = UNHEX(x.id) SET {sets}"
    match = f"WHERE r.fence = x.fence AND {mine}"
    one_group = f"WHERE r.id IN ({places(n)}) AND r.fence = %s AND {mine}"
    case = "CASE r.id " + "WHEN %s THEN %s " * n + "END"
    return {
        "grouped": f"UPDATE {t} r SET {sets} {one_group}",
        "json": f"{joined} {match}",
        "json, results": f"{joined}, r.result = x.result {match}",
        "case, results": f"UPDATE {t} r SET {sets}, r.result = {case} {one_group}",
    }[shape]


class MariaDB:
    """One connection in autocommit; BEGIN is sent only where two statements belong together."""

    name = "mariadb"
    finish_shapes: Sequence[str] = (
        "grouped",
        "grouped, 3 fences",
        "json",
        "json, results",
        "case, results",
    )
    enqueue_shapes: Sequence[str] = ("values", "json_table")
    together_shapes: Sequence[str] = ("two transactions", "one transaction")

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.db = pymysql.connect(
            host=at.hostname,
            port=at.port or 3306,
            user=at.username,
            password=at.password or "",
        )
        self.db.autocommit(True)
        self.cursor = self.db.cursor()
        for sql in (
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            f"DROP DATABASE IF EXISTS {SCHEMA}",
            f"CREATE DATABASE {SCHEMA}",
            f"USE {SCHEMA}",
        ):
            self.cursor.execute(sql)

    def version(self) -> str:
        self.cursor.execute("SELECT VERSION()")
        row = self.cursor.fetchone()
        return f"MariaDB {row[0] if row else '?'}, PyMySQL {version('PyMySQL')}"

    def create(self, table: Table, load: Load) -> None:
        for sql in ddl(table):
            self.cursor.execute(sql)
        first = 1
        for count, sql in (
            (load.finished, load_sql(table, "SUCCEEDED")),
            (load.foreign, load_sql(table, "QUEUED", repr(FOREIGN_JOB), -1)),
            (load.waiting, load_sql(table, "QUEUED")),
        ):
            self.fill(sql, first, count)
            first += count
        if table.layout.split:
            t = table.name
            self.cursor.execute(
                f"""INSERT INTO {t}_ready (id, queue, claim_rank, run_at)
                SELECT id, queue, claim_rank, run_at FROM {t} WHERE status = 'QUEUED'"""
            )
        self.tidy([table])

    def fill(self, sql: str, first: int, count: int) -> None:
        base = int.from_bytes(uuid7()[:6], "big") - 100_000_000
        for start in range(first, first + count, CHUNK):
            last = min(start + CHUNK, first + count) - 1
            self.cursor.execute(sql.format(base=base, first=start, last=last))

    def tidy(self, tables: Sequence[Table]) -> None:
        for table in tables:
            for part in ["", "_ready", "_claimed"] if table.layout.split else [""]:
                self.cursor.execute(f"ANALYZE TABLE {table.name}{part}")
                self.cursor.fetchall()

    def claim(self, table: Table, n: int, names: Sequence[str] | None = None) -> list[Claimed]:
        self.db.begin()
        taken = self.claim_in(table, n, names)
        self.db.commit()
        return taken

    def claim_in(self, table: Table, n: int, names: Sequence[str] | None) -> list[Claimed]:
        sql = select_sql(table, len(names or ()))
        self.cursor.execute(sql, (QUEUE, *(names or ()), n))
        rows = self.cursor.fetchall()
        expect(len(rows), n, "claim")
        ids = sorted(row[0] for row in rows)
        if table.layout.split:
            self.move(table.name, ids)
        else:
            done = self.cursor.execute(take_sql(table, n), (OWNER, *ids))
            expect(done, n, "claim")
        return [Claimed(row[0], row[1] + 1) for row in rows]

    def move(self, t: str, ids: list[Any]) -> None:
        """Split layout: from the ready table to the claimed one."""
        these = places(len(ids))
        self.cursor.execute(f"SELECT id, job, args FROM {t} WHERE id IN ({these})", ids)
        self.cursor.fetchall()
        self.cursor.execute(
            f"""INSERT INTO {t}_claimed (id, owner, fence, attempt, started_at)
            SELECT id, %s, fence + 1, attempt + 1, {NOW} FROM {t}_ready WHERE id IN ({these})""",
            (OWNER, *ids),
        )
        self.cursor.execute(f"DELETE FROM {t}_ready WHERE id IN ({these})", ids)

    def finish(self, table: Table, runs: Sequence[Claimed], shape: str = "grouped") -> None:
        several = table.layout.split or shape == "grouped, 3 fences"
        if several:
            self.db.begin()
        self.finish_in(table, runs, shape)
        if several:
            self.db.commit()

    def finish_in(self, table: Table, runs: Sequence[Claimed], shape: str) -> None:
        if table.layout.split:
            self.finish_split(table, runs)
            return
        if not shape.startswith("grouped"):
            sql = finish_sql(table, shape, len(runs))
            expect(
                self.cursor.execute(sql, finish_params(runs, shape)),
                len(runs),
                "finish",
            )
            return
        for fence, ids in by_fence(runs).items() if shape == "grouped" else thirds(runs):
            done = self.cursor.execute(finish_sql(table, "grouped", len(ids)), (*ids, fence))
            expect(done, len(ids), "finish")

    def finish_split(self, table: Table, runs: Sequence[Claimed]) -> None:
        t = table.name
        for fence, ids in by_fence(runs).items():
            these = places(len(ids))
            self.cursor.execute(
                f"""UPDATE {t}_claimed c STRAIGHT_JOIN {t} r ON r.id = c.id
                SET r.status = 'SUCCEEDED', r.completed_at = {NOW}, r.fence = c.fence,
                r.attempt = c.attempt, r.started_at = c.started_at
                WHERE c.id IN ({these}) AND c.fence = %s""",
                (*ids, fence),
            )
            done = self.cursor.execute(
                f"DELETE FROM {t}_claimed WHERE id IN ({these}) AND fence = %s",
                (*ids, fence),
            )
            expect(done, len(ids), "finish")

    def together(self, table: Table, runs: Sequence[Claimed], n: int, shape: str) -> list[Claimed]:
        if shape == "two transactions":
            self.finish(table, runs)
            return self.claim(table, n)
        self.db.begin()
        self.finish_in(table, runs, "grouped")
        taken = self.claim_in(table, n, None)
        self.db.commit()
        return taken

    def enqueue(self, table: Table, n: int, shape: str = "values") -> Action:
        rows = [(uuid7(), job, QUEUE, QUEUE, 0, ARGS, None) for job in names_of(n)]
        if table.layout.split:
            return lambda: self.enqueue_split(table.name, rows)
        return lambda: getattr(self, f"enqueue_{shape}")(table.name, rows)

    def enqueue_split(self, t: str, rows: list[tuple[Any, ...]]) -> None:
        self.db.begin()
        self.cursor.execute(
            f"INSERT INTO {t} (id, job, queue, claim_rank, args) VALUES "
            + ", ".join(["(%s, %s, %s, %s, %s)"] * len(rows)),
            [value for r in rows for value in (r[0], r[1], r[2], r[4], r[5])],
        )
        self.cursor.execute(
            f"INSERT INTO {t}_ready (id, queue, claim_rank, run_at) VALUES "
            + ", ".join([f"(%s, %s, %s, {NOW})"] * len(rows)),
            [value for r in rows for value in (r[0], r[2], r[4])],
        )
        self.db.commit()

    def enqueue_one(self, table: Table) -> Action:
        return self.enqueue(table, 1)

    def enqueue_values(self, t: str, rows: list[tuple[Any, ...]]) -> None:
        groups = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(rows))
        sql = f"INSERT INTO {t} ({COLUMNS}) VALUES {groups}"
        self.cursor.execute(sql, [value for row in rows for value in row])

    def enqueue_json_table(self, t: str, rows: list[tuple[Any, ...]]) -> None:
        sql = f"""INSERT INTO {t} ({COLUMNS})
            SELECT UNHEX(id), job, queue, queue, claim_rank, args, NULL
            FROM JSON_TABLE(%s, '$[*]' COLUMNS (id CHAR(32) PATH '$[0]',
            job VARCHAR(200) PATH '$[1]', queue VARCHAR(64) PATH '$[2]',
            claim_rank INT PATH '$[3]', args LONGTEXT PATH '$[4]')) x"""
        whole = json.dumps([(row[0].hex(), row[1], row[2], row[4], row[5]) for row in rows])
        self.cursor.execute(sql, (whole,))

    def explain(self, table: Table, n: int) -> dict[str, str]:
        if table.layout.split:
            return {}
        plans = {
            "claim, select": self.plan(select_sql(table, 0), (QUEUE, n)),
            "claim, select, 30 names": self.plan(select_sql(table, len(JOBS)), (QUEUE, *JOBS, n)),
        }
        self.db.begin()
        runs = self.claim_in(table, n, None)
        ids = sorted(run.id for run in runs)
        plans["claim, update"] = self.plan(take_sql(table, n), (OWNER, *ids))
        for shape in self.finish_shapes:
            if shape != "grouped, 3 fences":
                params = finish_params(runs, shape)
                plans[f"finish, {shape}"] = self.plan(finish_sql(table, shape, n), params)
        self.db.rollback()
        return plans

    def plan(self, sql: str, params: Sequence[Any]) -> str:
        self.cursor.execute(f"EXPLAIN {sql}", params)
        names = [column[0] for column in self.cursor.description]
        shown = ("table", "type", "key", "key_len", "ref", "Extra")
        rows = [dict(zip(names, row, strict=True)) for row in self.cursor.fetchall()]
        return "\n".join("  ".join(f"{k}={row[k]}" for k in shown) for row in rows)

    def close(self) -> None:
        self.cursor.execute(f"DROP DATABASE {SCHEMA}")
        self.db.close()


def finish_params(runs: Sequence[Claimed], shape: str) -> list[Any]:
    """Building the parameter is part of the measured cost."""
    if shape == "grouped":
        return [*(run.id for run in runs), runs[0].fence]
    if shape == "case, results":
        pairs = [value for run in runs for value in (run.id, RESULT)]
        return [*pairs, *(run.id for run in runs), runs[0].fence]
    tail = f',"result":{RESULT}}}' if shape == "json, results" else "}"
    rows = [f'{{"id":"{run.id.hex()}","fence":{run.fence}{tail}' for run in runs]
    return ["[" + ",".join(rows) + "]"]

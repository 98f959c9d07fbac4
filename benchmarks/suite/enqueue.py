"""Enqueue: one at a time (sync; async with 1 and 20 callers), and in bulk."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, TypeAlias

from benchmarks.suite.bench import Bench, median, rate
from benchmarks.suite.jobs import lodger, nothing
from lodger.client.job import Call, new_runs
from lodger.store import inserts
from lodger.store.database import Conn

Rendered: TypeAlias = list[tuple[str, Any]]
"""Statements as the driver takes them."""

ONE = 200
MANY = 1000
CALLERS = 20


def measure(bench: Bench) -> None:
    """Interleave Lodger's doors with the raw driver, round by round."""
    one: list[float] = []
    raw_one: list[float] = []
    alone: list[float] = []
    together: list[float] = []
    bulk: list[float] = []
    raw_bulk: list[float] = []
    copy: list[float] = []
    with bench.database.connect() as conn, asyncio.Runner() as loop:
        for _ in range(bench.rounds + 1):
            ready = [_rendered(conn, [call]) for call in _calls(ONE)]
            raw_one.append(rate(ONE, lambda ready=ready: _raw_ones(conn, ready)))  # type: ignore[misc]
            one.append(rate(ONE, lambda: [nothing.enqueue(number) for number in range(ONE)]))
            alone.append(rate(ONE, lambda: loop.run(_async_ones(1, ONE))))
            together.append(rate(ONE * 5, lambda: loop.run(_async_ones(CALLERS, ONE * 5))))
            whole = _rendered(conn, _calls(MANY))
            raw_bulk.append(rate(MANY, lambda whole=whole: _raw_bulk(conn, whole)))  # type: ignore[misc]
            bulk.append(rate(MANY, lambda: lodger.enqueue_many(_calls(MANY))))
            if bench.engine == "postgresql":
                rows = _copied()
                copy.append(rate(MANY, lambda rows=rows: _raw_copy(conn, rows)))  # type: ignore[misc]
    first = slice(1, None)  # the first round opens connections and imports modules
    bench.add("enqueue one at a time, sync", median(one[first]), "/s", median(raw_one[first]))
    bench.add("enqueue one at a time, async, 1 caller", median(alone[first]), "/s", median(raw_one[first]))
    bench.add(f"enqueue one at a time, async, {CALLERS} callers", median(together[first]), "/s", median(raw_one[first]))
    bench.add(f"enqueue {MANY} in one commit", median(bulk[first]), "/s", median(raw_bulk[first]))
    if copy:
        bench.add("  the same beside raw COPY", median(bulk[first]), "/s", median(copy[first]))


async def _async_ones(callers: int, count: int) -> None:
    async def caller() -> None:
        for number in range(count // callers):
            await nothing.aenqueue(number)

    await asyncio.gather(*(caller() for _ in range(callers)))


def _calls(count: int) -> list[Call]:
    return [nothing.call(number) for number in range(count)]


def _raw_ones(conn: Conn, ready: list[Rendered]) -> None:
    """The same statement, one autocommit each, on the driver's own cursor; the texts and values are ready."""
    cursor = conn.raw.cursor()
    for ((sql, params),) in ready:
        cursor.execute(sql, params)
    cursor.close()


def _raw_bulk(conn: Conn, ready: Rendered) -> None:
    cursor = conn.raw.cursor()
    cursor.execute("BEGIN" if conn.dialect != "sqlite" else "BEGIN IMMEDIATE")
    for sql, params in ready:
        cursor.execute(sql, params)
    cursor.execute("COMMIT")
    cursor.close()


def _rendered(conn: Conn, calls: list[Call]) -> Rendered:
    style = "named" if conn.dialect == "sqlite" else "pyformat"
    found: Rendered = []
    steps = inserts.insert(conn.dialect, new_runs(calls))
    for step in steps:  # plain inserts expect no answers
        found.append((step.statement.render(conn.dialect, conn.tables, style)[0], step.params))
    return found


def _copied() -> list[tuple[Any, ...]]:
    now = datetime.now(UTC)
    rows = []
    for run in new_runs(_calls(MANY)):
        names = (run.id, run.job, run.queue)
        limits = (run.claim_rank, run.max_attempts, run.on_crash)
        rows.append((*names, *limits, run.args, "QUEUED", run.queue, now, now))
    return rows


def _raw_copy(conn: Conn, rows: list[tuple[Any, ...]]) -> None:
    """COPY of the same rows: PostgreSQL's own limit."""
    columns = "id, job, queue, claim_rank, max_attempts, on_crash, args, status, ready_queue, run_at, queued_at"
    cursor = conn.raw.cursor()
    with cursor.copy(f"COPY {conn.tables.name('run')} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    cursor.close()

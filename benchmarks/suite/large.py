"""Drain beside many finished rows: does the table's size slow the claim?"""

from __future__ import annotations

import random
import time

from benchmarks.suite.bench import Bench, register
from lodger.model.ids import bytes_of, first_id_at
from lodger.model.outcome import Returned, decide
from lodger.model.retry import Retry
from lodger.store import claims, finish
from lodger.store.database import Conn

CHUNK = 100_000
WAITING = 100_000
SAMPLE_RUNS = 20_000
BATCH = 100


def measure(bench: Bench, rows: int) -> None:
    """Claim and finish on an empty table with the same backlog, then beside ``rows`` finished ones."""
    small, _ = _drained(bench, 0)
    large, waits = _drained(bench, rows)
    bench.add(f"claim + finish {BATCH}, {WAITING:,} waiting, nothing finished", small, "/s")
    bench.add(f"the same beside {rows:,} finished rows", large, "/s", small)
    bench.add(f"claim of {BATCH} there, p50", waits[len(waits) // 2], "ms")
    bench.add(f"claim of {BATCH} there, p99", waits[len(waits) * 99 // 100], "ms")


def _drained(bench: Bench, finished: int) -> tuple[float, list[float]]:
    """Return (runs per second, sorted milliseconds of each claim)."""
    bench.clear()
    with bench.database.connect() as conn:
        _load(conn, finished, "SUCCEEDED", hour_ago=48)
        _load(conn, WAITING, "QUEUED", hour_ago=1)
        if conn.dialect == "postgresql":
            conn.run(f"VACUUM ANALYZE {conn.tables.name('run')}")
        elif conn.dialect == "mysql":
            conn.run(f"ANALYZE TABLE {conn.tables.name('run')}")
    key = register(bench.database)
    waits: list[float] = []
    with bench.database.connect() as conn:
        start = time.perf_counter()
        while len(waits) * BATCH < SAMPLE_RUNS:
            waits.append(_one_batch(conn, key))
        seconds = time.perf_counter() - start
    return len(waits) * BATCH / seconds, sorted(waits)


def _one_batch(conn: Conn, key: str) -> float:
    chance, retry = random.Random(1), Retry()
    start = time.perf_counter()
    with conn.transaction():
        got = claims.claim(conn, worker=key, engine=1, queue="async", jobs=("nothing",), limit=BATCH)
    wait = (time.perf_counter() - start) * 1000
    outcomes = [decide(run, Returned(None), retry, chance) for run in got]
    with conn.transaction():
        finish.record(conn, outcomes)
    return wait


def _load(conn: Conn, rows: int, status: str, hour_ago: int) -> None:
    """Insert rows by the server itself, in chunks, ids in the order of their time as real ones are."""
    base = int(first_id_at(int((time.time() - hour_ago * 3600) * 1000)).replace("-", "")[:12], 16)
    for start in range(0, rows, CHUNK):
        _load_chunk(conn, base, start, min(CHUNK, rows - start), status)


def _load_chunk(conn: Conn, base: int, start: int, count: int, status: str) -> None:
    table = conn.tables.name("run")
    ready = "'async'" if status == "QUEUED" else "NULL"
    columns = "id, job, queue, status, claim_rank, ready_queue, fence, attempt, args, run_at, queued_at, completed_at"
    if conn.dialect == "sqlite":
        rows = [(bytes_of(_id(base, number)),) for number in range(start, start + count)]
        now = int(time.time() * 1e6)
        done = "NULL" if status == "QUEUED" else str(now)
        with conn.transaction():
            conn.raw.cursor().executemany(
                f"INSERT INTO {table} ({columns}) VALUES (?, 'nothing', 'async', '{status}', 0, {ready}, 0, 0, "
                f"'{{\"number\":1}}', {now}, {now}, {done})",
                rows,
            )
        return
    if conn.dialect == "postgresql":
        key = f"CAST(lpad(to_hex({base} + n / 1000), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0') AS uuid)"
        source = f"generate_series({start}, {start + count - 1}) AS n"
    else:
        key = f"UNHEX(CONCAT(LPAD(HEX({base} + n DIV 1000), 12, '0'), '70008', LPAD(HEX(n), 15, '0')))"
        source = f"(SELECT seq AS n FROM seq_{start}_to_{start + count - 1}) AS s"
    now = "now()" if conn.dialect == "postgresql" else "UTC_TIMESTAMP(6)"
    done = "NULL" if status == "QUEUED" else now
    conn.run(
        f"INSERT INTO {table} ({columns}) SELECT {key}, 'nothing', 'async', '{status}', 0, {ready}, 0, 0, "
        f"'{{\"number\":1}}', {now}, {now}, {done} FROM {source}"
    )


def _id(base: int, number: int) -> str:
    text = f"{base + number // 1000:012x}70008{number:015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

"""Drain: a real worker empties a queue; beside it the raw driver's claim and finish of the same batches."""

from __future__ import annotations

import time

from benchmarks.suite.bench import Bench, fetch, median, rate, register, wait_until, worker
from benchmarks.suite.jobs import lodger, nothing, nothing_in_thread
from benchmarks.suite.raw import claim_and_finish
from lodger.store.database import Conn

BATCHES = (20, 100, 500)
SECONDS = "EXTRACT(EPOCH FROM MAX(completed_at) - MIN(started_at))"
SPANS = {
    "postgresql": SECONDS,
    "mariadb": "TIMESTAMPDIFF(MICROSECOND, MIN(started_at), MAX(completed_at)) / 1e6",
    "sqlite": "(MAX(completed_at) - MIN(started_at)) / 1e6",
}


def measure(bench: Bench) -> None:
    """Interleave worker and raw driver, round by round, on an emptied table."""
    seen: dict[str, list[float]] = {"async": [], "thread": []}
    raw: dict[int, list[float]] = {size: [] for size in BATCHES}
    cost: list[tuple[float, float]] = []
    for _ in range(bench.rounds):
        for size in BATCHES:
            raw[size].append(raw_drain(bench, size))
        for queue in seen:  # noqa: PLC0206
            before = log_and_commits(bench)
            seen[queue].append(drain(bench, queue))
            after = log_and_commits(bench)
            if queue == "async":
                cost.append(((after[0] - before[0]) / bench.runs, (after[1] - before[1]) / bench.runs))
    for size in BATCHES:
        bench.add(f"raw driver, claim {size} + finish {size}", median(raw[size]), "/s")
    bench.add("drain, async no-op, 1 worker, 100 slots", median(seen["async"]), "/s", median(raw[100]))
    bench.add("drain, thread no-op, 1 worker, 100 slots", median(seen["thread"]), "/s", median(raw[100]))
    if any(commits for commits, _ in cost):
        bench.add("commits per run, enqueue in bulk and drain", median([commits for commits, _ in cost]), "")
    if any(log for _, log in cost):
        bench.add("bytes of log per run, the same", median([log for _, log in cost]), "bytes")


def drain(bench: Bench, queue: str) -> float:
    """Return runs per second of one worker, by the database's own clock."""
    bench.clear()
    fill(bench, queue, bench.runs)
    with worker(bench, queues=queue):
        wait_until(lambda: bench.count(queue) == 0, 600, f"{queue} to be drained")
        wait_until(lambda: _unfinished(bench, queue) == 0, 60, f"{queue} to be finished")
    return bench.runs / span(bench, queue)


def fill(bench: Bench, queue: str, runs: int) -> None:
    """Enqueue the runs in bulk."""
    job = nothing if queue == "async" else nothing_in_thread
    for start in range(0, runs, 1000):
        lodger.enqueue_many([job.call(number) for number in range(start, min(start + 1000, runs))])


def span(bench: Bench, queue: str) -> float:
    """Return the seconds from the first start to the last completion."""
    table = bench.database.tables.name("run")
    with bench.database.connect() as conn:
        return float(fetch(conn, f"SELECT {SPANS[bench.engine]} FROM {table} WHERE queue = '{queue}'"))


def _unfinished(bench: Bench, queue: str) -> int:
    table = bench.database.tables.name("run")
    with bench.database.connect() as conn:
        return int(fetch(conn, f"SELECT COUNT(*) FROM {table} WHERE queue = '{queue}' AND owner IS NOT NULL"))


def raw_drain(bench: Bench, size: int) -> float:
    """Return runs per second of the driver alone."""
    bench.clear()
    fill(bench, "async", max(bench.runs // 2, size * 4))
    total = bench.count("async")
    key = register(bench.database)
    with bench.database.connect() as conn:
        return rate(total, lambda: claim_and_finish(conn, key, size))


def log_and_commits(bench: Bench) -> tuple[float, float]:
    """Return (commits, bytes of write-ahead log) of the server so far; zeros where it does not count them."""
    with bench.database.connect() as conn:
        if bench.engine == "postgresql":
            time.sleep(1.1)  # its statistics are reported once a second
            commits = fetch(conn, "SELECT SUM(xact_commit) FROM pg_stat_database")
            return float(commits), float(fetch(conn, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"))
        if bench.engine == "mariadb":
            return _status(conn, "Handler_commit"), _status(conn, "Innodb_os_log_written")
    return 0.0, 0.0


def _status(conn: Conn, name: str) -> float:
    cursor = conn.raw.cursor()
    cursor.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")
    value = float(cursor.fetchone()[1])
    cursor.close()
    return value

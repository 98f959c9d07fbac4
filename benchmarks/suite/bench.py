"""One engine under measurement: its database, a raw connection, and a worker when one is wanted."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lodger.model.ids import new_id
from lodger.store import migrations, workers
from lodger.store.database import Conn, Database
from tools.servers import SERVERS


@dataclass
class Figure:
    """One line of the table. ``raw`` is the raw driver's figure for the same statements, None where there is none."""

    name: str
    value: float
    unit: str
    raw: float | None = None


@dataclass
class Bench:
    """What every measurement gets."""

    engine: str
    version: str
    url: str
    database: Database
    runs: int
    rounds: int
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, raw: float | None = None) -> None:
        """Keep one figure and say it at once: a whole run takes minutes."""
        self.figures.append(Figure(name, value, unit, raw))
        print(f"  {self.engine}: {name}: {value:,.1f} {unit}" + (f" (raw {raw:,.0f})" if raw else ""), file=sys.stderr)

    def clear(self) -> None:
        """Empty the tables, as a new database would be."""
        with self.database.connect() as conn:
            for noun in ("run", "attempt", "log"):
                word = "DELETE FROM" if conn.dialect == "sqlite" else "TRUNCATE TABLE"
                conn.run(f"{word} {conn.tables.name(noun)}")
            if conn.dialect == "postgresql":
                conn.run(f"VACUUM ANALYZE {conn.tables.name('run')}")

    def count(self, queue: str) -> int:
        """Return how many runs of a queue are waiting."""
        sql = f"SELECT COUNT(*) FROM {self.database.tables.name('run')} WHERE ready_queue = '{queue}'"
        with self.database.connect() as conn:
            return int(fetch(conn, sql))


def fetch(conn: Conn, sql: str) -> Any:
    """Return the first value of a plain query."""
    cursor = conn.raw.cursor()
    cursor.execute(sql)
    value = cursor.fetchone()[0]
    cursor.close()
    return value


@contextmanager
def opened(engine: str, runs: int, rounds: int, buffer_mb: int = 512) -> Iterator[Bench]:
    """Start the engine (default durability: everything that was committed is on disk), migrate, yield a Bench."""
    if engine == "sqlite":
        import sqlite3

        with tempfile.TemporaryDirectory() as folder:
            yield _bench(engine, sqlite3.sqlite_version, f"sqlite:///{Path(folder) / 'bench.db'}", runs, rounds)
        return
    with SERVERS[engine](buffer_mb=buffer_mb) as server:
        yield _bench(engine, server.version, server.create_database("bench"), runs, rounds)


def _bench(engine: str, version: str, url: str, runs: int, rounds: int) -> Bench:
    os.environ["DATABASE_URL"] = url
    database = Database(url)
    migrations.migrate(database)
    return Bench(engine=engine, version=version, url=url, database=database, runs=runs, rounds=rounds)


@contextmanager
def worker(
    bench: Bench, *, queues: str, concurrency: int = 100, processes: int = 1
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `lodger worker` beside the measurement."""
    command = [
        sys.executable,
        "-c",
        "from lodger.cli import main; main()",
        "worker",
        "--app",
        "benchmarks.suite.jobs:lodger",
    ]
    command += ["--queues", queues, "--concurrency", str(concurrency), "--processes", str(processes)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def register(database: Database) -> str:
    """Put up a worker's row for claims made without a supervisor; return its id."""
    key = new_id()
    row = workers.NewWorker(
        id=key,
        environment="bench",
        release="",
        placement="separate",
        host="bench",
        pid=os.getpid(),
        queues=(),
        dead_after_seconds=86400,
    )
    database.transact(lambda conn: workers.register(conn, row))
    return key


def wait_until(look: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for ``look``; raise TimeoutError naming ``what``."""
    end = time.monotonic() + seconds
    while not look():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def rate(count: int, work: Callable[[], Any]) -> float:
    """Return how many per second ``work`` did, ``count`` in all."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)

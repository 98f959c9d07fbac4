"""The store in a few short words: what the conformance tests are written with.

Nothing is mocked and nobody sleeps: a test that needs time to pass moves the row's times into the past.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import pymysql
import pytest

from lodger.model.ids import new_id
from lodger.model.outcome import Ending, Outcome, decide
from lodger.model.retry import Retry
from lodger.model.run import Attempt, ClaimedRun, Inserted, NewRun, RunRecord
from lodger.store import claims, finish, inserts, migrations, rescue, runs, upkeep, workers
from lodger.store.database import Conn, Database
from lodger.store.sql import Statement, Terms
from lodger.store.steps import Step, Steps, perform
from lodger.store.values import id_in, id_out

T = TypeVar("T")

RETRY = Retry(max_attempts=3, first_seconds=10, factor=2, jitter=0)


def new_run(**fields: Any) -> NewRun:
    """A run of job ``j`` in the default queue."""
    return NewRun(**{"id": new_id(), "job": "j", "queue": "default", "args": "{}", **fields})


def ending(run: ClaimedRun, how: Ending, retry: Retry = RETRY) -> Outcome:
    """The outcome of an ending, without chance."""
    return decide(run, how, retry, random.Random(1))


class Store:
    """One migrated database; each method is one committed transaction unless it says otherwise."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dialect = database.dialect
        migrations.migrate(database)

    # Operations

    def do(self, steps: Callable[[Any], Steps[T]]) -> T:
        """Perform an operation that may also run on the app's connection: ``do(lambda d: runs.get(d, id))``."""
        return self.database.transact(lambda conn: perform(conn, steps(self.dialect)))

    def insert(self, *new: NewRun) -> list[Inserted]:
        """Insert runs."""
        return self.do(lambda dialect: inserts.insert(dialect, new))

    def enqueue(self, **fields: Any) -> str:
        """Insert one run and return its id."""
        (inserted,) = self.insert(new_run(**fields))
        return inserted.id

    def worker(self, dead_after_seconds: float = 60, **fields: Any) -> str:
        """Register a worker and return its id."""
        values = {"environment": "e", "release": "r", "placement": "child", "host": "h", "pid": 1, "queues": ()}
        made = workers.NewWorker(**{"id": new_id(), "dead_after_seconds": dead_after_seconds, **values, **fields})
        self.database.transact(lambda conn: workers.register(conn, made))
        return made.id

    def claim(
        self, worker: str, limit: int = 10, *, engine: int = 1, queue: str = "default", jobs: Sequence[str] = ("j",)
    ) -> list[ClaimedRun]:
        """Claim runs."""
        return self.database.transact(
            lambda conn: claims.claim(conn, worker=worker, engine=engine, queue=queue, jobs=jobs, limit=limit)
        )

    def claim_one(self, worker: str, **options: Any) -> ClaimedRun:
        """Claim the run that is there."""
        (run,) = self.claim(worker, 1, **options)
        return run

    def running(self, worker: str, engine: int = 1, **fields: Any) -> ClaimedRun:
        """A new run, claimed by ``worker``."""
        fields = {"claim_rank": -1_000_000, **fields}  # before all others
        made = new_run(**fields)
        self.insert(made)
        run = self.claim_one(worker, engine=engine, queue=made.queue, jobs=[made.job])
        assert run.id == made.id
        return run

    def record(self, *outcomes: Outcome) -> set[tuple[str, int]]:
        """Record outcomes; return the leases that were lost."""
        return self.database.transact(lambda conn: finish.record(conn, outcomes))

    def finish(self, run: ClaimedRun, how: Ending) -> Outcome:
        """Record one ending, which must be accepted."""
        outcome = ending(run, how)
        assert self.record(outcome) == set()
        return outcome

    def free_silent(self, worker: str) -> list[rescue.Freed] | None:
        """Try to bury a worker and free its runs."""
        return self.database.transact(lambda conn: rescue.free_silent(conn, worker))

    def free_engine(self, worker: str, engine: int = 1) -> list[rescue.Freed]:
        """Free the runs of an engine that was seen to die."""
        return self.database.transact(lambda conn: rescue.free_engine(conn, worker, engine, "SIGSEGV"))

    def promote(self, limit: int = 100) -> list[str]:
        """Promote what is due."""
        return self.database.transact(lambda conn: upkeep.promote(conn, limit))

    # What is there

    def get(self, run_id: str) -> RunRecord:
        """The run as the API shows it."""
        return self.do(lambda dialect: runs.get(dialect, run_id))

    def status(self, run_id: str) -> str:
        """The run's status."""
        return str(self.get(run_id).status)

    def attempts(self, run_id: str) -> list[Attempt]:
        """The attempts told of a run."""
        return self.do(lambda dialect: runs.attempts(dialect, run_id))

    def row(self, run_id: str) -> dict[str, Any]:
        """All columns of a run."""
        with self.database.connect() as conn:
            (row,) = conn.dicts(Statement(lambda t: f"SELECT * FROM {t.run} WHERE id = :id"), id=self.key(run_id))
        return row

    def rows(self, sql: Callable[[Terms], str], **params: Any) -> list[Any]:
        """The rows of a query of the test's own."""
        with self.database.connect() as conn:
            return conn.rows(Statement(sql), **params)

    def count(self, condition: str = "1 = 1") -> int:
        """How many runs meet a condition."""
        return int(self.rows(lambda t: f"SELECT COUNT(*) FROM {t.run} WHERE {condition}")[0][0])

    def ids(self) -> list[str]:
        """All runs, by id."""
        return [id_out(row[0]) for row in self.rows(lambda t: f"SELECT id FROM {t.run} ORDER BY id")]

    def key(self, text: str) -> Any:
        """An id as a parameter."""
        return id_in(self.dialect, text)

    # Time and other changes behind Lodger's back

    def change(self, sql: Callable[[Terms], str], **params: Any) -> int:
        """Run a change of the test's own; return how many rows it matched."""
        with self.database.connect() as conn:
            return conn.write(Statement(sql), **params)

    def set_run(self, run_id: str, **columns: Any) -> None:
        """Overwrite columns of a run."""
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        assert self.change(lambda t: f"UPDATE {t.run} SET {assignments} WHERE id = :id", id=self.key(run_id), **columns)

    def set_time(self, run_id: str, seconds: float, *columns: str) -> None:
        """Set times of a run to ``seconds`` from now by the database's clock."""
        assert self._set_time(lambda t: t.run, run_id, seconds, columns)

    def ended(self, status: str, *, took: float, ago: float, **fields: Any) -> str:
        """A run that a worker ended ``ago`` seconds ago, after ``took`` seconds; return its id."""
        run_id = self.enqueue(**fields)

        def sql(t: Terms) -> str:
            times = f"started_at = {t.after(':started')}, completed_at = {t.after(':completed')}"
            return f"UPDATE {t.run} SET status = '{status}', ready_queue = NULL, {times} WHERE id = :id"

        started, completed = round(-(ago + took) * 1e6), round(-ago * 1e6)
        assert self.change(sql, id=self.key(run_id), started=started, completed=completed)
        return run_id

    def silence(self, worker: str, seconds: float = 3600) -> None:
        """Make the worker's last beat that old."""
        assert self._set_time(lambda t: t.worker, worker, -seconds, ["beat_at"])

    def _set_time(self, table: Callable[[Terms], str], key: str, seconds: float, columns: Iterable[str]) -> int:
        def sql(t: Terms) -> str:
            times = ", ".join(f"{name} = {t.after(':us')}" for name in columns)
            return f"UPDATE {table(t)} SET {times} WHERE id = :id"

        return self.change(sql, id=self.key(key), us=round(seconds * 1e6))


@contextmanager
def reply_lost(database: Database) -> Iterator[list[str]]:
    """Let the first transaction commit, and its client hear of a lost connection; the list then names the fault."""
    faults: dict[str, Exception] = {
        "postgresql": psycopg.OperationalError("server closed the connection unexpectedly"),
        "mysql": pymysql.OperationalError(2013, "Lost connection during query"),
        "sqlite": sqlite3.OperationalError("disk I/O error"),
    }
    begin = database.begin
    lost: list[str] = []

    @contextmanager
    def begin_and_lose() -> Iterator[Conn]:
        with begin() as conn:
            yield conn
        if not lost:
            lost.append(database.dialect)
            raise faults[database.dialect]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "begin", begin_and_lose)
        yield lost


def race(count: int, work: Callable[[int], T], timeout: float = 60) -> list[T]:
    """Let ``count`` threads start ``work(number)`` at one moment; return what they returned, or raise their error."""
    start = threading.Barrier(count)
    answers: dict[int, T] = {}
    errors: list[BaseException] = []

    def body(number: int) -> None:
        try:
            start.wait(timeout)
            answers[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=body, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive(), "a racer hangs"
    if errors:
        raise errors[0]
    return [answers[number] for number in range(count)]


def drive(conn: Conn, steps: Steps[T], before: Callable[[Step], None]) -> T:
    """Perform ``steps`` as ``perform`` does, calling ``before`` each of them: to get in between."""

    def watched() -> Steps[T]:
        answer: Any = None
        try:
            while True:
                step = steps.send(answer)
                before(step)
                answer = yield step
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    return perform(conn, watched())

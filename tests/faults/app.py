"""The app under fault: jobs in all three executors that tell the side log what they do.

Importable as `tests.faults.app:lodger`, by workers and by tests. Jobs that misbehave are in `hostile`,
those that answer too late in `late`, those that hear of a stop in `obedient`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from lodger import Lodger, Retry, Run, SyncRun
from tests.faults import sidelog
from tests.faults.ledger import INSERT, Res

IMPORTS = ("tests.faults.hostile", "tests.faults.late", "tests.faults.obedient")
lodger = Lodger(app="tests.faults.app:lodger", imports=IMPORTS)

AGAIN = Retry(max_attempts=50, first_seconds=0.1, factor=1, jitter=0)
"""Faults of our making never use the attempts up."""


@lodger.worker_lifespan
async def resources() -> AsyncIterator[Res]:
    """What the ledger jobs write with."""
    res = Res()
    yield res
    await res.close()


@contextmanager
def told(run: Run[Any] | SyncRun[Any]) -> Iterator[None]:
    """Tell the side log that the job starts and, unless it raises, that its work is done."""
    sidelog.write("start", run.id, run.fence, run.job)
    yield
    sidelog.write("end", run.id, run.fence, run.job)


# Work of a given length, in each executor


@lodger.job(retry=AGAIN)
async def on_loop(run: Run[Res], ms: int) -> None:
    with told(run):
        await asyncio.sleep(ms / 1000)


@lodger.job(retry=AGAIN)
def in_thread(run: SyncRun[Res], ms: int) -> None:
    with told(run):
        time.sleep(ms / 1000)


@lodger.job(executor="process", retry=AGAIN)
def in_process(run: SyncRun[Res], ms: int) -> None:
    with told(run):
        time.sleep(ms / 1000)


# The same with a row in the ledger, committed together with the run's success. The end is told before the commit:
# what is SUCCEEDED must have told its end.


@lodger.job(retry=AGAIN)
async def ledger_on_loop(run: Run[Res], ms: int) -> None:
    async with AsyncSession(run.res.async_engine) as session, run.complete_in(session) as done:
        with told(run):
            await asyncio.sleep(ms / 1000)
            await session.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


@lodger.job(retry=AGAIN)
def ledger_in_thread(run: SyncRun[Res], ms: int) -> None:
    with Session(run.res.engine) as session, run.complete_in(session) as done:
        with told(run):
            time.sleep(ms / 1000)
            session.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


@lodger.job(executor="process", retry=AGAIN)
def ledger_in_process(run: SyncRun[Res], ms: int) -> None:
    with run.res.engine.connect() as connection, run.complete_in(connection) as done:
        with told(run):
            time.sleep(ms / 1000)
            connection.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


# Long ones, for stopping


@lodger.job(retry=AGAIN)
def patient(run: SyncRun[Res], path: str) -> str:
    """Go on until the file `path` is there; save and show how far it is."""
    with told(run):
        return _wait_for(run, path)


@lodger.job(executor="process", retry=AGAIN)
def patient_in_process(run: SyncRun[Res], path: str) -> str:
    """The same in a process of its own."""
    with told(run):
        return _wait_for(run, path)


@lodger.job(retry=AGAIN)
async def patient_on_loop(run: Run[Res], path: str) -> str:
    """The same on the event loop."""
    with told(run):
        await run.save({"fence": run.fence, "before": run.checkpoint})
        while not await asyncio.to_thread(_exists, path):  # noqa: ASYNC110 - the job waits for a flag of its run
            await asyncio.sleep(0.02)
    return "seen"


@lodger.job(retry=AGAIN)
def saving(run: SyncRun[Res], path: str) -> int:
    """Save all the time until the file `path` is there; return what was last saved."""
    count = 0
    with told(run):
        while not _exists(path):
            count += 1
            run.save({"saved": count})
            time.sleep(0.02)
    return count


def _wait_for(run: SyncRun[Res], path: str) -> str:
    run.save({"fence": run.fence, "before": run.checkpoint})
    while not _exists(path):
        time.sleep(0.02)
    return "seen"


def _exists(path: str) -> bool:
    try:
        with open(path):  # noqa: PTH123 - the shortest
            return True
    except FileNotFoundError:
        return False


@lodger.job(retry=AGAIN)
async def noop() -> None:
    """Nothing: for counting."""


@lodger.job(retry=AGAIN)
async def probe(run: Run[Res]) -> int:
    """Read the app's own table; a worker that cannot reach the database does not get here."""
    async with run.res.async_engine.connect() as connection:
        return int((await connection.execute(text("SELECT COUNT(*) FROM ledger"))).scalar_one())

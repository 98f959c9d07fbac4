"""Jobs that answer when they are told to: each execution waits for a gate of its own, named after its fence."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from lodger import Run, SyncRun
from tests.faults.app import AGAIN, lodger, told
from tests.faults.ledger import INSERT, Res


def gate(path: str | Path, fence: int) -> Path:
    """What the executions under this fence wait for."""
    return Path(f"{path}-{fence}")


def pass_gate(run: SyncRun[Any], path: str) -> None:
    while not gate(path, run.fence).exists():
        time.sleep(0.01)


async def pass_gate_on_loop(run: Run[Any], path: str) -> None:
    while not await asyncio.to_thread(gate(path, run.fence).exists):  # noqa: ASYNC110 - the gate is no coroutine's
        await asyncio.sleep(0.01)


# Answers


@lodger.job(retry=AGAIN)
def late_with_nothing(run: SyncRun[Res], path: str) -> None:
    with told(run):
        pass_gate(run, path)


@lodger.job(retry=AGAIN)
async def late_on_loop(run: Run[Res], path: str) -> int:
    with told(run):
        await pass_gate_on_loop(run, path)
    return run.fence


@lodger.job(retry=AGAIN)
def late_in_thread(run: SyncRun[Res], path: str) -> int:
    with told(run):
        pass_gate(run, path)
    return run.fence


@lodger.job(executor="process", retry=AGAIN)
def late_in_process(run: SyncRun[Res], path: str) -> int:
    with told(run):
        pass_gate(run, path)
    return run.fence


@lodger.job(retry=AGAIN)
def late_failing(run: SyncRun[Res], path: str) -> int:
    """The first fails, when it is too late."""
    with told(run):
        pass_gate(run, path)
    if run.fence == 1:
        raise OSError("too late")
    return run.fence


# Answers with writes of the app


@lodger.job(retry=AGAIN)
async def ledger_late_on_loop(run: Run[Res], path: str) -> None:
    async with AsyncSession(run.res.async_engine) as session, run.complete_in(session) as done:
        with told(run):
            await pass_gate_on_loop(run, path)
            await session.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


@lodger.job(retry=AGAIN)
def ledger_late_in_thread(run: SyncRun[Res], path: str) -> None:
    with Session(run.res.engine) as session, run.complete_in(session) as done:
        with told(run):
            pass_gate(run, path)
            session.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


@lodger.job(executor="process", retry=AGAIN)
def ledger_late_in_process(run: SyncRun[Res], path: str) -> None:
    with Session(run.res.engine) as session, run.complete_in(session) as done:
        with told(run):
            pass_gate(run, path)
            session.execute(INSERT, {"run_id": run.id, "fence": run.fence})
        done(run.fence)


# Writes on the way


@lodger.job(retry=AGAIN)
def late_saving(run: SyncRun[Res], path: str) -> int:
    with told(run):
        pass_gate(run, path)
        run.save({"fence": run.fence})
    return run.fence


@lodger.job(retry=AGAIN)
def late_progress(run: SyncRun[Res], path: str) -> int:
    with told(run):
        pass_gate(run, path)
        run.progress(run.fence, 10)
    return run.fence


JOBS: Final[tuple[Any, ...]] = (
    late_with_nothing,
    late_on_loop,
    late_in_thread,
    late_in_process,
    late_failing,
    ledger_late_on_loop,
    ledger_late_in_thread,
    ledger_late_in_process,
    late_saving,
    late_progress,
)

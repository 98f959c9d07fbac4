"""The jobs that the other files of this folder call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from lodger import Lodger, Run, SyncRun

lodger = Lodger(url="sqlite:////nowhere/app.db")


@dataclass
class Receipt:
    number: int


@dataclass
class Res:
    prefix: str


@lodger.worker_lifespan
async def resources() -> AsyncIterator[Res]:
    yield Res(prefix="x")


@lodger.job()
def plain(path: str, *, width: int = 100) -> Receipt:
    return Receipt(len(path) + width)


@lodger.job(queue="media", timeout=600, executor="process")
async def async_plain(path: str, count: int | None = None) -> list[Receipt]:
    return [Receipt(len(path) + (count or 0))]


@lodger.job()
async def with_run(run: Run[Res], invoice: UUID) -> Receipt:
    await run.progress(1, 2)
    return Receipt(len(run.res.prefix) + invoice.version)  # type: ignore[operator]


@lodger.job()
def with_sync_run(run: SyncRun[Res], invoice: UUID) -> Receipt | None:
    run.progress(1, 2)
    return None


@lodger.job()
async def with_bare_run(run: Run) -> None:
    await run.save({"page": 1})


@lodger.job()
def nothing() -> None:
    return None


@lodger.job
def without_brackets(path: str) -> Receipt:
    return Receipt(len(path))


@lodger.job
async def async_without_brackets(path: str) -> Receipt:
    return Receipt(len(path))


@lodger.job
async def with_run_without_brackets(run: Run[Res], invoice: UUID) -> Receipt:
    return Receipt(run.attempt)


@lodger.job
def with_sync_run_without_brackets(run: SyncRun[Res], invoice: UUID) -> Receipt:
    return Receipt(run.attempt)

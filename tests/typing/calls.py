"""A job that is called is its own function: here and now, with the run that `enqueue` leaves out."""

from __future__ import annotations

from typing import assert_type
from uuid import uuid4

from lodger import Run, SyncRun
from tests.typing.jobs import Receipt, Res, async_plain, plain, with_run, with_sync_run


async def right(run: Run[Res], sync_run: SyncRun[Res]) -> None:
    assert_type(plain("a"), Receipt)
    assert_type(plain("a", width=1), Receipt)
    assert_type(await async_plain("a"), list[Receipt])
    assert_type(await with_run(run, uuid4()), Receipt)
    assert_type(with_sync_run(sync_run, uuid4()), Receipt | None)
    assert_type(plain.name, str)


async def wrong(sync_run: SyncRun[Res]) -> None:
    plain(1)  # type: ignore[arg-type]
    plain()  # type: ignore[call-arg]
    await with_run(uuid4())  # type: ignore[call-arg, arg-type]
    await with_run(sync_run, uuid4())  # type: ignore[arg-type]

"""What comes back: a handle that knows what its job returns."""

from __future__ import annotations

from typing import Any, assert_type
from uuid import uuid4

from lodger import Run, RunHandle, RunRecord, Status, SyncRun
from tests.typing.jobs import Receipt, Res, async_plain, lodger, nothing, plain, with_run, with_sync_run


def sync_results() -> None:
    assert_type(plain.enqueue("a").result(), Receipt)
    assert_type(plain.enqueue("a").result(timeout=20), Receipt)
    assert_type(async_plain.enqueue("a").result(), list[Receipt])
    assert_type(with_run.enqueue(uuid4()).result(), Receipt)
    assert_type(with_sync_run.enqueue(uuid4()).result(), Receipt | None)
    assert_type(plain.using(priority=1).enqueue("a").result(), Receipt)
    number: str = plain.enqueue("a").result().number  # type: ignore[assignment]
    plain.enqueue("a").result("20 s")  # type: ignore[arg-type]
    assert number


async def async_results() -> None:
    assert_type(await (await plain.aenqueue("a")).aresult(), Receipt)
    assert_type(await (await async_plain.aenqueue("a")).aresult(timeout=1), list[Receipt])
    assert_type(await (await with_run.using(delay=1).aenqueue(uuid4())).aresult(), Receipt)
    wrong: str = await (await with_run.aenqueue(uuid4())).aresult()  # type: ignore[assignment]
    assert wrong


def handles() -> None:
    handle: RunHandle[Receipt] = plain.enqueue("a")
    assert_type(handle.id, str)
    assert_type(handle.status(), Status)
    assert_type(handle.refresh(), RunRecord)
    assert_type(handle.cancel(force=True), Status)
    assert_type(lodger.get_run(handle.id), RunRecord)
    assert_type(lodger.handle(handle.id), RunHandle[Any])
    other: RunHandle[str] = plain.enqueue("a")  # type: ignore[assignment]
    assert other.id
    nothing.enqueue().results()  # type: ignore[attr-defined]


async def in_an_async_job(run: Run[Res]) -> None:
    assert_type(run.res, Res)
    assert_type(run.attempt, int)
    await run.progress(1, 3, "reading")
    await run.progress("1")  # type: ignore[arg-type]
    print(run.res.sufix)  # type: ignore[attr-defined]
    run.attempt = 2  # type: ignore[misc]


def in_a_plain_job(run: SyncRun[Res]) -> None:
    assert_type(run.res, Res)
    run.progress(1, 3)
    run.save({"page": 1})
    with run.complete_in(object()) as done:
        done({"any": "result"})
    run.progress()  # type: ignore[call-arg]

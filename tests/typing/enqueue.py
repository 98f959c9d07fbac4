"""Enqueueing takes the job's own arguments, no more and no less, and never the injected run.

A line that must be refused is marked as one to ignore: both type checkers complain about a mark they don't need.
"""

from __future__ import annotations

from typing import assert_type
from uuid import uuid4

from lodger import Call, RunHandle
from tests.typing.jobs import (
    Receipt,
    async_plain,
    async_without_brackets,
    lodger,
    nothing,
    plain,
    with_bare_run,
    with_run,
    with_run_without_brackets,
    with_sync_run,
    with_sync_run_without_brackets,
    without_brackets,
)


def right() -> None:
    assert_type(plain.enqueue("a.mp4"), RunHandle[Receipt])
    assert_type(plain.enqueue(path="a.mp4", width=3), RunHandle[Receipt])
    assert_type(async_plain.enqueue("a.mp4", None), RunHandle[list[Receipt]])
    assert_type(with_run.enqueue(uuid4()), RunHandle[Receipt])
    assert_type(with_run.enqueue(invoice=uuid4()), RunHandle[Receipt])
    assert_type(with_sync_run.enqueue(uuid4()), RunHandle[Receipt | None])
    assert_type(with_bare_run.enqueue(), RunHandle[None])
    assert_type(nothing.enqueue(), RunHandle[None])
    assert_type(plain.call("a.mp4"), Call)
    assert_type(lodger.enqueue_many([plain.call("a"), with_run.call(uuid4())])[0].created, bool)
    lodger.by_name("transcode", queue="media").enqueue("anything", goes=1)


def right_without_brackets() -> None:
    assert_type(without_brackets.enqueue("a.mp4"), RunHandle[Receipt])
    assert_type(async_without_brackets.enqueue("a.mp4"), RunHandle[Receipt])
    assert_type(with_run_without_brackets.enqueue(uuid4()), RunHandle[Receipt])
    assert_type(with_sync_run_without_brackets.enqueue(uuid4()), RunHandle[Receipt])


async def right_async() -> None:
    assert_type(await plain.aenqueue("a.mp4"), RunHandle[Receipt])
    assert_type(await async_plain.aenqueue("a.mp4"), RunHandle[list[Receipt]])
    assert_type(await with_run.aenqueue(uuid4()), RunHandle[Receipt])
    assert_type(await with_sync_run.aenqueue(invoice=uuid4()), RunHandle[Receipt | None])
    await lodger.aenqueue_many([plain.call("a"), with_run.call(uuid4())])


def wrong() -> None:
    plain.enqueue(1)  # type: ignore[arg-type]
    plain.enqueue()  # type: ignore[call-arg]
    plain.enqueue("a.mp4", 3)  # type: ignore[call-arg]
    plain.enqueue("a.mp4", height=3)  # type: ignore[call-arg]
    plain.enqueue("a.mp4", width="3")  # type: ignore[arg-type]
    async_plain.enqueue("a.mp4", "3")  # type: ignore[arg-type]
    with_run.enqueue("not a UUID")  # type: ignore[arg-type]
    with_run.enqueue()  # type: ignore[call-arg]
    with_run.enqueue(None, uuid4())  # type: ignore[call-arg, arg-type]
    with_run.enqueue(uuid4(), run=None)  # type: ignore[call-arg]
    with_sync_run.enqueue(1)  # type: ignore[arg-type]
    with_bare_run.enqueue(1)  # type: ignore[call-arg]
    without_brackets.enqueue(1)  # type: ignore[arg-type]
    with_run_without_brackets.enqueue(None, uuid4())  # type: ignore[call-arg, arg-type]
    plain.call(1)  # type: ignore[arg-type]
    lodger.enqueue_many([plain("a")])  # type: ignore[list-item]
    lodger.enqueue_many(plain.call("a"))  # type: ignore[arg-type]
    lodger.enqueue_many([plain])  # type: ignore[list-item]


async def wrong_async() -> None:
    await plain.aenqueue(1)  # type: ignore[arg-type]
    await plain.aenqueue()  # type: ignore[call-arg]
    await with_run.aenqueue("not a UUID")  # type: ignore[arg-type]
    await with_sync_run.aenqueue(uuid4(), 2)  # type: ignore[call-arg]
    print(plain.aenqueue("a.mp4").id)  # type: ignore[attr-defined]

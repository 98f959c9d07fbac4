"""Enqueueing through the public API: what was acknowledged is in the database, what was refused is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from lodger import InvalidInput, Lodger, Retry, RunHandle, Status
from lodger.client.job import Call
from lodger.errors import InvalidPayload
from lodger.model.payload import MAX_BYTES
from tests.client.jobs import Jobs
from tests.support.store import Store, reply_lost

Way = Callable[[Any], RunHandle[Any]]


@pytest.fixture(params=["enqueue", "aenqueue"])
def enqueue(request: pytest.FixtureRequest) -> Callable[..., RunHandle[Any]]:
    """Enqueue a bound job from sync and from async code."""

    def way(job: Any, *args: Any, **kwargs: Any) -> RunHandle[Any]:
        if request.param == "enqueue":
            handle: RunHandle[Any] = job.enqueue(*args, **kwargs)
            return handle
        return asyncio.run(job.aenqueue(*args, **kwargs))

    return way


@pytest.fixture(params=["enqueue_many", "aenqueue_many"])
def enqueue_many(request: pytest.FixtureRequest) -> Callable[..., list[RunHandle[Any]]]:
    """The same for many."""

    def way(app: Lodger, calls: Any, **options: Any) -> list[RunHandle[Any]]:
        if request.param == "enqueue_many":
            return app.enqueue_many(calls, **options)
        return asyncio.run(app.aenqueue_many(calls, **options))

    return way


def test_a_run_is_there_when_enqueue_returns(jobs: Jobs, enqueue: Way) -> None:
    handle = enqueue(jobs.resize, "a.png", width=5)  # type: ignore[call-arg]
    assert UUID(handle.id).version == 7
    assert (handle.job, handle.queue, handle.created) == ("resize", "media", True)
    run = handle.refresh()
    assert (run.id, run.job, run.queue, run.priority, run.tags) == (handle.id, "resize", "media", 2, ("image",))
    assert (run.status, run.attempt, run.max_attempts) == (Status.QUEUED, 0, 5)
    assert run.args == {"path": "a.png", "width": 5}
    assert run.queued_at is not None
    assert run.queued_at.tzinfo is not None
    assert (run.started_at, run.completed_at, run.result, run.error, run.progress) == (None,) * 5


def test_every_option_is_in_the_row(jobs: Jobs, store: Store, enqueue: Way) -> None:
    options = {
        "queue": "slow",
        "priority": -7,
        "retry": Retry(max_attempts=2, first_seconds=1),
        "timeout": 9.5,
        "unique": "k",
        "tags": ["x", "Zoë"],
        "meta": {"tenant": "日本", "n": [1, None]},
        "expires": 60,
        "executor": "process",
        "on_crash": "retry",
    }
    handle = enqueue(jobs.pay.using(**options), 5)  # type: ignore[arg-type]
    run = handle.refresh()
    assert (run.queue, run.priority, run.tags, run.meta) == (
        "slow",
        -7,
        ("x", "Zoë"),
        {"tenant": "日本", "n": [1, None]},
    )
    assert run.max_attempts == 2
    assert run.expires_at is not None
    assert run.queued_at is not None
    assert run.expires_at - run.queued_at == timedelta(seconds=60)
    row = store.row(handle.id)
    assert row["on_crash"] == "retry"
    assert '"timeout":9.5' in row["options"]
    assert '"executor":"process"' in row["options"]
    assert row["unique_slot"] is not None


@pytest.mark.parametrize("option", ["delay", "run_at"])
def test_a_later_run_is_scheduled_for_then(jobs: Jobs, enqueue: Way, option: str) -> None:
    when = {"delay": 3600, "run_at": datetime.now(UTC) + timedelta(hours=1)}[option]
    run = enqueue(jobs.resize.using(**{option: when}), "a").refresh()  # type: ignore[arg-type,call-arg]
    assert run.status is Status.SCHEDULED
    assert run.run_at is not None
    assert abs(run.run_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=2)


def test_higher_priorities_are_claimed_first_and_equals_in_their_order(jobs: Jobs, store: Store) -> None:
    wanted = [(0, "c"), (5, "a"), (-5, "e"), (5, "b"), (0, "d")]
    jobs.app.enqueue_many([jobs.resize.using(priority=priority).call(name) for priority, name in wanted])
    claimed = store.claim(store.worker(), 10, queue="media", jobs=["resize"])
    assert [run.args for run in claimed] == [f'{{"path":"{name}"}}' for name in "abcde"]


def test_an_expired_run_is_claimed_as_expired(jobs: Jobs, store: Store) -> None:
    first = jobs.resize.using(expires=0).enqueue("a")
    second = jobs.resize.using(expires=timedelta(hours=1)).enqueue("b")
    claimed = {run.id: run.expired for run in store.claim(store.worker(), queue="media", jobs=["resize"])}
    assert claimed == {first.id: True, second.id: False}


# Many


def test_many_come_back_in_order_and_may_be_of_any_job(jobs: Jobs, enqueue_many: Any) -> None:
    calls = [
        jobs.resize.call("a"),
        jobs.pay.call(3),
        jobs.resize.using(delay=60, priority=9).call("b", 7),
        jobs.app.by_name("elsewhere", queue="other").call(1, x=2),
    ]
    handles = enqueue_many(jobs.app, calls)
    assert [handle.job for handle in handles] == ["resize", "pay", "resize", "elsewhere"]
    assert [handle.queue for handle in handles] == ["media", "default", "media", "other"]
    assert [handle.refresh().args for handle in handles] == [
        {"path": "a"},
        {"amount": 3},
        {"path": "b", "width": 7},
        {"*": [1], "x": 2},
    ]
    assert [handle.status() for handle in handles] == ["QUEUED", "QUEUED", "SCHEDULED", "QUEUED"]


def test_a_thousand_at_once(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    handles = enqueue_many(jobs.app, [jobs.resize.call(str(number)) for number in range(1000)])
    assert store.count() == 1000
    assert [handles[n].refresh().args["path"] for n in (0, 499, 999)] == ["0", "499", "999"]


def test_none_at_all(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    assert enqueue_many(jobs.app, []) == []
    assert store.count() == 0


def test_calls_may_come_from_a_generator(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    """Red when the calls are walked twice: the runs were committed, and then the handles failed."""
    handles = enqueue_many(jobs.app, (jobs.resize.call(name) for name in "ab"))
    assert [handle.refresh().args["path"] for handle in handles] == ["a", "b"]
    assert store.count() == 2


def test_what_is_no_call_is_refused_before_anything_is_inserted(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    for wrong in (jobs.resize, jobs.resize.using(priority=1), "a.png", None, ("a",)):
        with pytest.raises(InvalidInput, match=r"calls\[1\]: .* allowed: what job\.call\(\.\.\.\)"):
            enqueue_many(jobs.app, [jobs.resize.call("a"), wrong])
    with pytest.raises(InvalidInput, match="calls: "):
        enqueue_many(jobs.app, jobs.resize.call("a"))
    assert store.count() == 0


def test_a_call_may_be_enqueued_often(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    """Each time it is another run. Fails when a call has its id from the start: one row, and handles that say four."""
    call = jobs.resize.call("a")
    handles = enqueue_many(jobs.app, [call, call, call]) + enqueue_many(jobs.app, [call])
    assert all(handle.created for handle in handles)
    assert sorted(handle.id for handle in handles) == store.ids()
    assert store.count() == 4


def test_an_enqueue_whose_commit_reply_is_lost_is_one_run(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    """It is sent again under the same ids. Fails when the ids are made inside of what is repeated."""
    with reply_lost(store.database) as lost:
        handles = enqueue_many(jobs.app, [jobs.resize.call("a"), jobs.pay.call(1)])
    assert lost
    assert sorted(handle.id for handle in handles) == store.ids()


def test_one_refusal_by_a_unique_key_takes_all_back(jobs: Jobs, store: Store, enqueue_many: Any) -> None:
    from lodger import Unique, UniqueConflict

    holder = jobs.resize.using(unique="k").enqueue("held")
    calls = [jobs.resize.call("a"), jobs.resize.using(unique=Unique(key="k", conflict="raise")).call("b")]
    with pytest.raises(UniqueConflict, match=f"unique key 'k' is held by run {holder.id} \\(QUEUED\\)"):
        enqueue_many(jobs.app, calls)
    assert store.ids() == [holder.id]


# In the app's own transaction


@pytest.fixture
def connection(database_url: str) -> Any:
    url = database_url.replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")
    engine = create_engine(url.replace("mariadb:", "mysql+pymysql:"))
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_tx_on_the_bound_job_or_on_enqueue_many(jobs: Jobs, store: Store, connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
    one = jobs.resize.using(tx=connection).enqueue("a")
    two, three = jobs.app.enqueue_many([jobs.pay.call(1), jobs.resize.using(delay=5).call("b")], tx=connection)
    assert store.count() == 0  # not committed yet, and not in a transaction of ours
    connection.commit()
    assert set(store.ids()) == {one.id, two.id, three.id}
    lost = jobs.resize.using(tx=connection).enqueue("c")
    connection.rollback()
    assert lost.id not in store.ids()


def test_tx_in_a_call_that_goes_with_others_is_refused(jobs: Jobs, store: Store, connection: Connection) -> None:
    """It would be left out without a word: all calls of one enqueue_many share a transaction."""
    with pytest.raises(InvalidInput, match=r"tx: .*allowed: enqueue_many\(calls, tx=\.\.\.\)"):
        jobs.resize.using(tx=connection).call("a")
    with pytest.raises(InvalidInput, match="tx: "):
        jobs.app.by_name("elsewhere", tx=connection).call()
    assert store.count() == 0


def test_an_async_transaction_needs_aenqueue(lite: Lodger) -> None:
    jobs = Jobs(lite)

    async def go() -> None:
        engine = create_async_engine(str(lite.url).replace("sqlite:", "sqlite+aiosqlite:"))
        async with engine.connect() as opened:
            with pytest.raises(InvalidInput, match=r"tx: .*AsyncConnection.*aenqueue"):
                jobs.resize.using(tx=opened).enqueue("a")
            handle = await jobs.resize.using(tx=opened).aenqueue("b")
            await opened.commit()
        await engine.dispose()
        assert (await handle.arefresh()).args == {"path": "b"}

    asyncio.run(go())
    assert Store(lite.database).count() == 1


# What does not fit


def test_the_largest_payload_is_stored_whole_and_one_byte_more_is_refused(
    jobs: Jobs, store: Store, enqueue: Way
) -> None:
    room = MAX_BYTES - len('{"path":""}')
    largest = "é" * ((room - 1) // 2) + "x" * (1 + (room - 1) % 2)
    handle = enqueue(jobs.resize, largest)  # type: ignore[call-arg]
    assert handle.refresh().args == {"path": largest}
    with pytest.raises(InvalidPayload, match=f"resize arguments: '{MAX_BYTES + 1} bytes of JSON'"):
        enqueue(jobs.resize, largest + "x")  # type: ignore[call-arg]
    assert store.count() == 1


def test_what_is_refused_leaves_nothing_behind(jobs: Jobs, store: Store, enqueue: Way) -> None:
    deep: list[Any] = []
    for _ in range(64):
        deep = [deep]
    for wrong in ("\x00", "\ud83d", float("nan"), 2**64, deep, object()):
        with pytest.raises(InvalidInput):
            enqueue(jobs.app.by_name("any"), wrong)  # type: ignore[call-arg]
        with pytest.raises(InvalidInput):
            enqueue(jobs.app.by_name("any").using(meta={"a": wrong}))
    with pytest.raises(InvalidInput, match="meta: '1000012 bytes of JSON'"):
        enqueue(jobs.resize.using(meta={"key": "x" * (MAX_BYTES + 2)}), "a")  # type: ignore[call-arg]
    with pytest.raises(InvalidInput):
        enqueue(jobs.resize, 5)  # type: ignore[call-arg]
    assert store.count() == 0


# By name


def test_by_name_leaves_the_jobs_limits_to_the_worker(app: Lodger, store: Store, enqueue: Way) -> None:
    handle = enqueue(app.by_name("transcode", queue="media").using(priority=4), "clip.mp4", speed=2)  # type: ignore[call-arg]
    run = handle.refresh()
    assert (run.job, run.queue, run.priority, run.max_attempts) == ("transcode", "media", 4, None)
    assert run.args == {"*": ["clip.mp4"], "speed": 2}
    assert store.row(handle.id)["on_crash"] is None


@pytest.mark.parametrize("name", ["", "two words", "x" * 201, None, 5], ids=repr)
def test_by_name_takes_names_only(lite: Lodger, name: Any) -> None:
    with pytest.raises(InvalidInput, match="job name: "):
        lite.by_name(name)


def test_using_after_by_name_adds_to_its_options(lite: Lodger) -> None:
    call = lite.by_name("a", queue="q", priority=1).using(priority=2, tags=["t"]).call()
    assert isinstance(call, Call)
    assert (call.run.queue, call.run.claim_rank, call.run.tags) == ("q", -2, '["t"]')

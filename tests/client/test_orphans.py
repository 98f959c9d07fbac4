"""The live-worker check at the enqueue: by the real thread, at all doors, on all engines.

When to speak, and of what, is tested in tests/unit/test_orphans.py; here, that it comes to be spoken.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from lodger import Lodger
from lodger.client.orphans import OrphanWatch
from lodger.store import workers
from lodger.store.url import parse
from tests.client.jobs import Jobs
from tests.support.schedules import Schedules, spec
from tests.support.store import Store
from tests.support.wait import wait_until

FORKING = Path(__file__).with_name("orphan_forking.py")
ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}
QUICK = 0.2
Said = Callable[[], list[str]]


@pytest.fixture
def app(database_url: str) -> Iterator[Lodger]:
    """Its watch speaks soon; under pytest an app has none, so it is given one."""
    made = Lodger(url=database_url, app="shop.jobs:lodger", environment="e", orphan_seconds=QUICK)
    made.migrate()
    made.__dict__["_orphans"] = OrphanWatch(made.database, made.settings)
    yield made
    made.close()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """What the watch has logged so far."""
    return lambda: [one.getMessage() for one in caplog.records if one.name == "lodger.orphans"]


def first(said: Said) -> str:
    return wait_until(said, 20, "a warning")[0]


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lodger-orphans"]


def look_often(watch: OrphanWatch, times: int = 3) -> None:
    """Wait until the watch has looked so often more: what it does not say then, it does not say."""
    at = [watch._watchlist.look_at]

    def moved() -> bool:
        at.extend([watch._watchlist.look_at] if watch._watchlist.look_at != at[-1] else [])
        return len(at) > times

    wait_until(moved, 20, "more looks")


def ready_worker(store: Store, *jobs: str) -> str:
    """A separate worker that knows these jobs and has beaten just now."""
    worker = store.worker(placement="separate")
    engines = [{"number": 1, "pid": 7, "state": "running", "active": 0, "error": None}]
    store.database.transact(
        lambda conn: workers.beat(conn, worker, jobs=jobs, engines=engines, claimed=False, stopping=False)
    )
    return worker


def enqueue(jobs: Jobs) -> None:
    jobs.resize.enqueue("a.png")


def enqueue_many(jobs: Jobs) -> None:
    jobs.app.enqueue_many([jobs.resize.call("a.png")] * 3)


def by_name(jobs: Jobs) -> None:
    jobs.app.by_name("resize", queue="media").enqueue("a.png")


def aenqueue(jobs: Jobs) -> None:
    asyncio.run(_aenqueue(jobs))


async def _aenqueue(jobs: Jobs) -> None:
    await jobs.resize.aenqueue("a.png")


def in_transaction(jobs: Jobs) -> None:
    engine = create_engine(parse(jobs.app.url).url, poolclass=NullPool)
    with engine.begin() as tx:
        jobs.resize.using(tx=tx).enqueue("a.png")
    engine.dispose()


def in_async_transaction(jobs: Jobs) -> None:
    asyncio.run(_in_async_transaction(jobs))


async def _in_async_transaction(jobs: Jobs) -> None:
    url = make_url(parse(jobs.app.url).url)
    engine = create_async_engine(url.set(drivername=ASYNC_DRIVERS[jobs.app.database.dialect]), poolclass=NullPool)
    async with engine.begin() as tx:
        await jobs.resize.using(tx=tx).aenqueue("a.png")
    await engine.dispose()


@pytest.mark.parametrize("door", [enqueue, enqueue_many, by_name, aenqueue, in_transaction, in_async_transaction])
def test_whoever_enqueues_what_nobody_serves_is_warned(door: Callable[[Jobs], None], jobs: Jobs, said: Said) -> None:
    """Fails, door by door, without `note` in Outbox._announce, or where a door does not come by there."""
    door(jobs)
    text = first(said)
    assert text.startswith("no live worker serves resize in queue media (")
    assert "LODGER_ENVIRONMENT=e LODGER_APP=shop.jobs:lodger lodger worker;" in text


def test_it_is_said_once_and_once_more_when_a_worker_has_come(
    app: Lodger, jobs: Jobs, store: Store, said: Said
) -> None:
    jobs.resize.enqueue("a.png")
    first(said)
    jobs.resize.enqueue("b.png")
    look_often(app._orphans)  # type: ignore[arg-type]
    assert len(said()) == 1
    worker = ready_worker(store, "resize")
    assert wait_until(lambda: said()[1:], 20, "the worker") == ["a live worker serves resize in queue media again"]
    store.silence(worker)
    assert "has not beaten for" in wait_until(lambda: said()[2:], 20, "the second warning")[0]


def test_a_worker_without_the_job_does_not_count(jobs: Jobs, store: Store, said: Said) -> None:
    """A queue that is served is not enough. Fails when `lack` does not ask for the job."""
    ready_worker(store, "other")
    jobs.resize.enqueue("a.png")
    text = first(said)
    assert "the separate worker on h (pid 1) does not know the job resize" in text
    assert "deploy the code of resize to that worker" in text


def test_a_paused_queue_is_nobodys_fault(app: Lodger, jobs: Jobs, said: Said) -> None:
    """Resumed, it is. Fails without the paused queues in `_see`."""
    app.pause("media")
    jobs.resize.enqueue("a.png")
    look_often(app._orphans, 8)  # type: ignore[arg-type]
    assert said() == []
    app.resume("media")
    assert "resize in queue media (1 waiting" in first(said)


def test_schedules_that_nobody_fires(app: Lodger, store: Store, said: Said) -> None:
    """Without any enqueue. Fails without `overdue` in `_see`."""
    schedules = Schedules(store)
    schedules.put(spec("night"))
    schedules.back("night")
    app._orphans.mind_schedules()  # type: ignore[union-attr]
    assert first(said).startswith("1 schedule is due, the first for ")
    schedules.scheduler()
    assert wait_until(lambda: said()[1:], 20, "the daemon") == ["a live schedule daemon fires schedules again"]


def test_a_database_that_is_gone_is_told_once_and_no_enqueue_fails(
    app: Lodger, jobs: Jobs, store: Store, said: Said
) -> None:
    """Fails without `except` in `_run`: the thread would be dead and the tables, back, not looked at."""
    store.change(lambda t: f"ALTER TABLE {t.worker} RENAME TO lodger_away")
    jobs.resize.enqueue("a.png")
    assert first(said).startswith("whether workers live can't be seen for now (trying on): ")
    look_often(app._orphans)  # type: ignore[arg-type]
    assert len(said()) == 1
    store.change(lambda t: f"ALTER TABLE lodger_away RENAME TO {t.worker}")
    assert "no live worker serves resize" in wait_until(lambda: said()[1:], 20, "the warning")[0]


def test_there_is_no_thread_before_the_first_enqueue_and_none_after_close(app: Lodger, jobs: Jobs) -> None:
    """Fails when the watch starts its thread in __init__, or `close` of the app leaves it."""
    assert watchers() == []
    jobs.resize.enqueue("a.png")
    assert len(watchers()) == 1
    app.close()
    assert watchers() == []


def test_it_sleeps_while_nothing_is_unclear(app: Lodger, jobs: Jobs, store: Store) -> None:
    """What is served and taken is not looked at. Fails when `_settle` keeps what does not wait."""
    ready_worker(store, "resize")
    jobs.resize.using(delay=3600).enqueue("a.png")
    watch: Any = app._orphans
    wait_until(lambda: watch._watchlist.look_at is None, 20, "the watch to sleep")


def test_an_enqueue_goes_on_where_no_thread_can_start(jobs: Jobs, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as at the end of the interpreter. Fails without `except` in `_change`."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "lodger-orphans":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert jobs.resize.enqueue("a.png").id
    assert said() == ["whether a worker serves what is enqueued is not watched"]


def test_under_pytest_nobody_is_warned(database_url: str) -> None:
    """An app's tests enqueue without a worker all day long."""
    made = Lodger(url=database_url)
    made.migrate()
    made.by_name("j").enqueue()
    assert made._orphans is None
    assert watchers() == []
    made.close()


def test_a_forked_child_watches_by_itself(app: Lodger, database_url: str) -> None:
    """As under gunicorn --preload. Fails without `forget_after_fork`: the child has no thread, and a lock in use."""
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", FORKING, database_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["parent: warned", "child: warned"]

"""What every driver must do alike. Each test runs once per driver and engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lodger.errors import RunNotFound, UniqueConflict
from lodger.model.ids import new_id
from lodger.model.run import ClaimedRun, NewRun
from lodger.model.status import Status
from lodger.model.unique import Unique
from lodger.store import inserts, runs
from lodger.store.doors import Door, open_door
from tests.support.clients import CLIENTS, Client, only
from tests.support.store import Store, new_run

ARGS = '{"name":"Zoë"}'


def is_there(store: Store, run: NewRun) -> bool:
    """Whether others see the run."""
    try:
        store.get(run.id)
    except RunNotFound:
        return False
    return True


@pytest.fixture
def door(client: Client, store: Store) -> Door:
    return open_door(client.tx, store.database)


@pytest.fixture
def insert(client: Client, door: Door) -> Callable[..., Any]:
    return lambda *new: client.wait(door.run(inserts.insert(door.dialect, new)))


@pytest.fixture
def running(store: Store) -> ClaimedRun:
    """A run that a worker has claimed."""
    return store.running(store.worker(), queue=f"q-{new_id()}")


def test_a_run_is_there_after_the_commit_and_not_before(
    client: Client, store: Store, insert: Callable[..., Any]
) -> None:
    run = new_run(args=ARGS)
    assert insert(run)[0].created
    if store.dialect != "sqlite":  # there the store waits its turn to look
        assert not is_there(store, run)
    client.end("commit")
    assert store.get(run.id).args == {"name": "Zoë"}


def test_a_rollback_takes_the_run_with_it(client: Client, store: Store, insert: Callable[..., Any]) -> None:
    one, many = new_run(), [new_run() for _ in range(5)]
    insert(one)
    insert(*many)
    client.end("rollback")
    assert not any(is_there(store, run) for run in [one, *many])


def test_the_door_ends_the_transaction(client: Client, store: Store, door: Door, insert: Callable[..., Any]) -> None:
    kept, dropped = new_run(), new_run()
    insert(kept)
    client.wait(door.commit())
    client.wait(client.begin())
    insert(dropped)
    client.wait(door.rollback())
    client.wait(client.begin())
    assert is_there(store, kept)
    assert not is_there(store, dropped)


def test_many_of_every_shape_arrive_as_they_were_given(
    client: Client, store: Store, door: Door, insert: Callable[..., Any]
) -> None:
    due = datetime(2040, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
    plain = [new_run(max_attempts=attempts, claim_rank=-3) for attempts in (None, 4, 5)]
    ready = new_run(meta='{"100%": ":id"}', tags='["a"]', options='{"timeout": 5}', on_crash="fail", expires_seconds=60)
    unique = new_run(unique=Unique(key=new_id(), window_seconds=60))
    at, later = new_run(run_at=due), new_run(delay_seconds=3600)
    inserted = insert(*plain, ready, unique, at, later)
    assert [one.id for one in inserted] == [run.id for run in (*plain, ready, unique, at, later)]
    assert all(one.created for one in inserted)
    inside = client.wait(door.run(runs.get(door.dialect, ready.id)))
    client.end("commit")
    assert store.get(ready.id) == inside
    assert inside.meta == {"100%": ":id"}
    assert inside.tags == ("a",)
    assert inside.expires_at is not None
    assert [store.get(run.id).max_attempts for run in plain] == [None, 4, 5]
    assert store.get(plain[0].id).priority == 3
    assert store.get(at.id).run_at == due
    assert store.get(later.id).status == Status.SCHEDULED
    assert store.get(unique.id).status == Status.QUEUED


def test_a_run_sent_again_makes_no_second_one(client: Client, insert: Callable[..., Any]) -> None:
    run = new_run(unique=Unique(key=new_id()))
    assert insert(run) == insert(run)
    client.end("commit")
    assert insert(run)[0].created


def test_a_unique_key_that_is_held_leaves_the_transaction_usable(
    client: Client, store: Store, insert: Callable[..., Any]
) -> None:
    key, after = new_id(), new_run()
    holder = new_run(unique=Unique(key=key))
    store.insert(holder)
    told = insert(new_run(unique=Unique(key=key)))[0]
    assert (told.id, told.created) == (holder.id, False)
    with pytest.raises(UniqueConflict) as refused:
        insert(new_run(unique=Unique(key=key, conflict="raise")))
    assert refused.value.holder == holder.id
    successor = new_run(unique=Unique(key=key, conflict="replace"))
    assert insert(successor)[0].created
    insert(after)
    client.end("commit")
    assert is_there(store, after)
    assert store.get(holder.id).status == Status.CANCELLED
    assert store.get(successor.id).status == Status.QUEUED


@only(*(name for name in CLIENTS if not name.startswith("sqlite")))
def test_a_holder_committed_after_the_transaction_began_is_found(
    client: Client, store: Store, door: Door, insert: Callable[..., Any]
) -> None:
    """MariaDB's REPEATABLE READ would not show it to a plain SELECT. SQLite refuses to write after such a read."""
    seen, key = new_run(), new_id()
    store.insert(seen)
    client.wait(door.run(runs.get(door.dialect, seen.id)))  # the snapshot is taken
    holder = new_run(unique=Unique(key=key))
    store.insert(holder)
    told = insert(new_run(unique=Unique(key=key)))[0]
    assert (told.id, told.created) == (holder.id, False)
    client.end("commit")


def test_complete_commits_with_the_app(client: Client, store: Store, door: Door, running: ClaimedRun) -> None:
    def complete(fence: int) -> bool:
        return bool(client.wait(door.run(runs.complete(door.dialect, running.id, fence, '{"ok":true}'))))

    assert not complete(running.fence + 1)
    assert complete(running.fence)
    client.end("rollback")
    assert store.get(running.id).status == Status.RUNNING
    assert complete(running.fence)
    assert not complete(running.fence)
    client.end("commit")
    assert store.get(running.id).status == Status.SUCCEEDED
    assert store.get(running.id).result == {"ok": True}


def test_cancel_and_retry_tell_right(client: Client, store: Store, door: Door, running: ClaimedRun) -> None:
    """Also asked twice: raw MySQL drivers then count no changed row."""
    cancel = lambda **how: client.wait(door.run(runs.cancel(door.dialect, running.id, **how)))  # noqa: E731
    assert [cancel(), cancel()] == [Status.RUNNING, Status.RUNNING]
    assert cancel(force=True) == Status.CANCELLED
    assert cancel() == Status.CANCELLED
    assert client.wait(door.run(runs.retry(door.dialect, running.id))) == running.queue
    assert cancel() == Status.CANCELLED
    client.end("commit")
    assert store.get(running.id).status == Status.CANCELLED
    assert [attempt.outcome for attempt in store.attempts(running.id)] == ["CANCELLED"]

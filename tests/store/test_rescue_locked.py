"""Rescue beside an app's transaction that is ending a run and does not come to its own end."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, create_engine

from lodger.model.run import ClaimedRun
from lodger.store import rescue, runs
from lodger.store.doors import open_door
from tests.support.store import Store


def complete_in(store: Store, tx: Connection, run: ClaimedRun) -> None:
    """End the run in the app's transaction, as its job does."""
    door: Any = open_door(tx, store.database)
    assert door.run(runs.complete(store.dialect, run.id, run.fence, None))


@pytest.mark.parametrize(("end", "status"), [("commit", "SUCCEEDED"), ("rollback", "QUEUED")])
def test_a_run_that_is_being_ended_holds_up_the_rescue_of_no_other(store: Store, end: str, status: str) -> None:
    """Its host froze: the transaction may stay open for hours. It is rescued when that has been rolled back.

    Fails without SKIP LOCKED: the sweep waits, fails, and frees nobody. SQLite has one writer, which all wait for.
    """
    worker = store.worker()
    ending, other = store.running(worker), store.running(worker)
    store.silence(worker)
    engine = create_engine(store.database.url.url)
    with engine.connect() as tx:
        complete_in(store, tx, ending)
        if store.dialect == "sqlite":
            getattr(tx, end)()
            freed = store.free_silent(worker)
        else:
            freed = store.free_silent(worker)
            assert freed == [rescue.Freed(other.id, "j", "QUEUED")]
            assert store.database.transact(rescue.free_ownerless) == []
            assert store.status(ending.id) == "RUNNING"
            getattr(tx, end)()
            freed += store.database.transact(rescue.free_ownerless)
    engine.dispose()
    assert {one.id for one in freed or ()} == {other.id} | ({ending.id} if end == "rollback" else set())
    assert store.status(ending.id) == status
    assert store.get(ending.id).fence == (2 if end == "rollback" else 1)

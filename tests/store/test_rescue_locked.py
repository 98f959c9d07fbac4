"""Rescue beside an app's transaction that is ending a run and does not come to its own end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine

from lodger.model.outcome import Returned
from lodger.model.run import ClaimedRun
from lodger.store import rescue, runs, workers
from lodger.store.database import IDLE_SECONDS, WAIT_SECONDS, Conn
from lodger.store.doors import open_door
from lodger.store.sql import Statement
from lodger.supervisor.burial import Burial
from lodger.supervisor.sweeper import sweep
from tests.support.store import Store


def complete_in(store: Store, tx: Connection, run: ClaimedRun) -> None:
    """End the run in the app's transaction, as its job does."""
    door: Any = open_door(tx, store.database)
    assert door.run(runs.complete(store.dialect, run.id, run.fence, None))


@contextmanager
def frozen_beside(store: Store, worker: str) -> Iterator[None]:
    """Another rescuer, which froze when it had locked the worker's row. SQLite has one writer, which all wait for."""
    if store.dialect == "sqlite":
        yield
        return
    with store.database.begin() as conn:
        assert conn.rows(rescue.lock_silent, id=store.key(worker))
        yield


def test_a_rescuer_that_froze_holds_up_the_rescue_of_no_other_worker(store: Store) -> None:
    """Fails without SKIP LOCKED in `lock_silent`: five seconds for each try, and the sweep ends with the first."""
    held, silent = store.worker(), store.worker()
    for worker in (held, silent):
        store.running(worker)
        store.silence(worker)
    started = time.monotonic()
    with frozen_beside(store, held):
        freed = sweep(store.database)
    assert time.monotonic() - started < WAIT_SECONDS
    assert len(freed) == (2 if store.dialect == "sqlite" else 1)
    assert len(freed) + len(sweep(store.database)) == 2


def test_a_worker_whose_rescue_fails_keeps_no_other_from_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when the first error ends the sweep."""
    workers = [store.worker(), store.worker()]
    runs_of = {worker: store.running(worker).id for worker in workers}
    for worker in workers:
        store.silence(worker)
    free_silent = rescue.free_silent

    def fail_for_one(conn: Conn, worker: str) -> list[rescue.Freed] | None:
        if worker == workers[0]:
            raise ValueError(worker)
        return free_silent(conn, worker)

    monkeypatch.setattr(rescue, "free_silent", fail_for_one)
    assert [one.id for one in sweep(store.database)] == [runs_of[workers[1]]]


def test_a_transaction_of_ours_that_stands_still_is_ended_by_the_server(store: Store) -> None:
    """Its locks go with it; SQLite has no server. Fails without the settings in BEGIN and at connecting."""
    ask = {
        "postgresql": "SHOW idle_in_transaction_session_timeout",
        "mysql": "SELECT @@idle_transaction_timeout",
        "sqlite": "SELECT NULL",
    }
    with store.database.begin() as conn:
        told = conn.value(Statement(lambda _: ask[store.dialect]))
    assert told == {"postgresql": "1min", "mysql": IDLE_SECONDS, "sqlite": None}[store.dialect]


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


def test_a_locked_run_of_a_dead_engine_holds_up_no_other(store: Store) -> None:
    """It is freed later, and no more blamed for coming last. Fails when the engine's runs are waited for."""
    worker = store.worker()
    held, other = store.running(worker), store.running(worker)
    burial = Burial(worker, 1, "signal SIGSEGV", None)
    engine = create_engine(store.database.url.url)
    with engine.connect() as tx:
        if store.dialect != "sqlite":
            complete_in(store, tx, held)
            started = time.monotonic()
            assert not burial.free(store.database)
            assert time.monotonic() - started < WAIT_SECONDS
            assert (store.status(held.id), store.status(other.id)) == ("RUNNING", "QUEUED")
        tx.rollback()
    engine.dispose()
    assert burial.free(store.database)
    for run in (held, other):
        after = store.get(run.id)
        assert (after.status, after.crashes) == ("QUEUED", 0), "it was one of two"


def test_an_engine_that_leaves_alone_leaves_the_row_to_another_that_has_runs(store: Store) -> None:
    """Two engines of one worker go on without it. Fails with `leave`: the second would be declared dead."""
    worker = store.worker()
    run = store.running(worker, engine=2)
    with store.database.connect() as conn:
        workers.leave_last(conn, worker, 1)
        assert [one.id for one in workers.listing(conn)] == [worker]
    store.finish(run, Returned(None))
    with store.database.connect() as conn:
        workers.leave_last(conn, worker, 2)
        assert workers.listing(conn) == []

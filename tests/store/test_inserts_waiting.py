"""A unique key that an uncommitted transaction is taking: the wait for it ends, clearly, and leaves no trace.

SQLite has one writer, so there it is the wait for any write, and the driver's error. The waits are shortened.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError as AlchemyError

from lodger.client.outbox import Outbox
from lodger.errors import UniqueConflict, UniqueTimeout
from lodger.model.run import Inserted
from lodger.model.unique import Unique
from lodger.store import database, inserts, patience
from lodger.store.database import Database
from lodger.store.doors import open_door
from lodger.store.sql import Statement
from lodger.wake.announcer import Announcer
from tests.support.store import Store, new_run
from tests.support.wait import wait_until

KEY = Unique(key="k")
OWN_PATIENCE = {
    "postgresql": ("SHOW lock_timeout", "SET lock_timeout = '{}ms'"),
    "mysql": ("SELECT @@innodb_lock_wait_timeout", "SET innodb_lock_wait_timeout = {}"),
    "sqlite": ("PRAGMA busy_timeout", "PRAGMA busy_timeout = {}"),
}


@pytest.fixture
def store(engine: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose waits last a second, or less."""
    patient = database.BEGIN["postgresql"]
    assert f"'{database.WAIT_SECONDS}s'" in patient
    monkeypatch.setitem(database.BEGIN, "postgresql", patient.replace(f"{database.WAIT_SECONDS}s", "1s"))
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1 if engine == "sqlite" else 1)
    monkeypatch.setattr(patience, "WAIT_SECONDS", 1)
    patience.own_patience._rendered.clear()
    made = Store(Database(database_url))
    yield made
    made.database.dispose()
    patience.own_patience._rendered.clear()


@contextmanager
def app_transaction(store: Store) -> Iterator[Connection]:
    """A transaction of the app's, rolled back in the end if it is still open."""
    options = {"timeout": 0.1} if store.dialect == "sqlite" else {}
    engine = create_engine(store.database.url.url, connect_args=options)
    with engine.connect() as tx:
        yield tx
    engine.dispose()


def enqueue_in(store: Store, tx: Connection, **options: Any) -> Inserted:
    """Enqueue a run with the key in the app's transaction."""
    new = new_run(**{"unique": KEY, **options})
    door: Any = open_door(tx, store.database)
    (inserted,) = door.run(inserts.insert(store.dialect, [new], in_app=True))
    return inserted  # type: ignore[no-any-return]


def somebody_waits(store: Store) -> bool:
    """Whether the server has a statement that waits for a lock; SQLite does not tell."""
    if store.dialect == "sqlite":
        return True
    sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted"
    if store.dialect == "mysql":
        # not innodb_trx: who asks for it more than ten times a second is given the same answer for ever
        sql = (
            "SELECT CAST(variable_value AS UNSIGNED) FROM information_schema.global_status "
            "WHERE variable_name = 'Innodb_row_lock_current_waits'"
        )
    return bool(store.rows(lambda _: sql)[0][0])


def refused(store: Store) -> Any:
    """What the waiting one is told."""
    kinds: tuple[type[Exception], ...] = (UniqueTimeout,)
    if store.dialect == "sqlite":
        kinds = (OperationalError, AlchemyError)
    return pytest.raises(kinds, match="locked" if store.dialect == "sqlite" else "unique key 'k'.*not ended within")


def test_an_enqueue_of_our_own_waits_for_an_uncommitted_holder_and_not_for_ever(store: Store) -> None:
    """Fails on PostgreSQL without lock_timeout in BEGIN: it waits as long as the holder lives."""
    with app_transaction(store) as tx:
        assert enqueue_in(store, tx).created
        with refused(store):
            store.insert(new_run(unique=KEY))
        tx.rollback()
    assert store.ids() == []
    (inserted,) = store.insert(new_run(unique=KEY))
    assert inserted.created


def test_an_enqueue_in_the_app_s_transaction_does_not_wait_for_ever_either(store: Store) -> None:
    """Fails on PostgreSQL without `bounded`; MariaDB would let it wait for 50 s."""
    with app_transaction(store) as tx, app_transaction(store) as other:
        assert enqueue_in(store, tx).created
        with refused(store):
            enqueue_in(store, other)
        other.rollback()
        tx.commit()
        assert not enqueue_in(store, other).created


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_end_of_the_holder_s_transaction_decides_for_those_who_wait(store: Store, end: str) -> None:
    """Committed: they are given the holder. Rolled back: the key is theirs."""
    answers: list[Inserted] = []
    with app_transaction(store) as tx:
        holder = enqueue_in(store, tx)
        new = new_run(unique=KEY)
        thread = threading.Thread(target=lambda: answers.extend(store.insert(new)))
        thread.start()
        wait_until(lambda: somebody_waits(store), 20, "the second enqueue to wait")
        getattr(tx, end)()
        thread.join(60)
    expected = Inserted(id=holder.id, created=False) if end == "commit" else Inserted(id=new.id, created=True)
    assert answers == [expected]


@pytest.mark.parametrize("own", [None, 400, 60_000], ids=["unset", "less than ours", "more than ours"])
@pytest.mark.parametrize("conflict", ["return", "raise"])
def test_the_app_s_own_patience_is_as_before(store: Store, own: int | None, conflict: Any) -> None:
    """Its other statements wait as long as it wants. Fails without the restoring steps in `bounded`."""
    ask, change = OWN_PATIENCE[store.dialect]
    if store.dialect == "mysql" and own:
        own = -(-own // 1000)  # it counts seconds
    with app_transaction(store) as tx:
        if own:
            tx.exec_driver_sql(change.format(own))
        before = tx.exec_driver_sql(ask).scalar()
        assert enqueue_in(store, tx).created
        assert tx.exec_driver_sql(ask).scalar() == before
        unique = Unique(key="k", conflict=conflict)
        if conflict == "raise":
            with pytest.raises(UniqueConflict):
                enqueue_in(store, tx, unique=unique)
        else:
            assert not enqueue_in(store, tx, unique=unique).created
        assert tx.exec_driver_sql(ask).scalar() == before
        tx.commit()
    assert store.count() == 1


def test_of_those_committed_together_only_the_one_that_waits_in_vain_fails(store: Store, tmp_path: Path) -> None:
    """Async enqueues share a transaction. Fails when a lock timeout is taken for a fault that concerns all."""
    outbox = Outbox(store.database, Announcer(store.database, tmp_path))

    async def enqueue_all() -> list[Any]:
        batches = [[new_run()], [new_run(unique=KEY)], [new_run()]]
        return await asyncio.gather(*map(outbox.ainsert, batches), return_exceptions=True)

    with app_transaction(store) as tx:
        enqueue_in(store, tx)
        answers = asyncio.run(enqueue_all())
    outbox.close()
    if store.dialect == "sqlite":
        assert all(isinstance(answer, OperationalError) for answer in answers)
        assert store.count() == 0
    else:
        assert isinstance(answers[1], UniqueTimeout)
        assert [answer[0].created for answer in (answers[0], answers[2])] == [True, True]
        assert store.count() == 2


def test_every_transaction_of_our_own_has_that_patience(store: Store) -> None:
    """Also a claim, a finish or a rescue that meets a lock of the app's. Fails without SET in BEGIN, at connecting."""
    ask, _ = OWN_PATIENCE[store.dialect]
    with store.database.begin() as conn:
        told = conn.value(Statement(lambda _: ask))
    assert told == {"postgresql": "1s", "mysql": 1, "sqlite": 100}[store.dialect]


def test_nobody_waits_for_another_s_unique_key(database_url: str, tmp_path: Path) -> None:
    """Fails when plain async enqueues share the transaction of unique ones."""
    store = Store(Database(database_url))  # it waits as long as it does: five seconds
    outbox = Outbox(store.database, Announcer(store.database, tmp_path))

    async def plain_while_unique_waits(tx: Connection) -> None:
        unique = asyncio.create_task(outbox.ainsert([new_run(unique=KEY)]))
        await asyncio.to_thread(wait_until, lambda: somebody_waits(store), 20, "the unique enqueue to wait")
        (plain,) = await outbox.ainsert([new_run()])
        assert plain.created
        assert not unique.done()
        tx.rollback()
        assert (await unique)[0].created

    with app_transaction(store) as tx:
        if store.dialect != "sqlite":  # its one writer makes everybody wait
            enqueue_in(store, tx)
            asyncio.run(plain_while_unique_waits(tx))
    outbox.close()
    store.database.dispose()

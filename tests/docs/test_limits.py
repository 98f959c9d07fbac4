"""The limits that docs/guarantees.md tells are where it says they are: traps for the app, and the ways out.

A test that fails here is good news or bad: either way the documents must change.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lodger import Lodger, RunNotFound, Unique
from lodger.store.url import parse
from tests.support.databases import Databases
from tests.support.wait import wait_until


@pytest.fixture
def lodger(database_url: str) -> Iterator[Lodger]:
    made = Lodger(url=database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def app(lodger: Lodger) -> Iterator[Engine]:
    """The app's own engine on the same database."""
    made = create_engine(parse(lodger.url).url, poolclass=NullPool)
    yield made
    made.dispose()


def exists(lodger: Lodger, run_id: str) -> bool:
    try:
        lodger.get_run(run_id)
    except RunNotFound:
        return False
    return True


def test_a_closed_session_begins_anew_and_nobody_commits_that(lodger: Lodger, app: Engine) -> None:
    session = Session(app)
    session.execute(text("SELECT 1"))
    session.close()
    handle = lodger.by_name("j").using(tx=session).enqueue()
    assert session.in_transaction()
    assert not exists(lodger, handle.id)
    session.rollback()  # what the garbage collector does sooner or later
    assert not exists(lodger, handle.id)


# SQLite: a snapshot that is out of date cannot write


def read_then_write(lodger: Lodger, app: Engine) -> Any:
    """An app's transaction that reads, is overtaken by another writer, and enqueues."""
    with Session(app) as session, session.begin():
        session.execute(text("SELECT COUNT(*) FROM lodger_run")).scalar_one()
        other = threading.Thread(target=lodger.by_name("other").enqueue)
        other.start()
        other.join(2)  # beside BEGIN IMMEDIATE it waits for us
        handle = lodger.by_name("j").using(tx=session).enqueue()
    other.join()
    return handle


def begin_with(app: Engine, statement: str) -> None:
    """Have SQLAlchemy begin each transaction, the driver none: the recipe of its documentation."""

    @event.listens_for(app, "connect")
    def leave_begin_to_us(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(app, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_transaction_begun_with_a_read_is_locked_out(engine: str, lodger: Lodger, app: Engine) -> None:
    begin_with(app, "BEGIN")
    with pytest.raises(OperationalError, match="database is locked"):
        read_then_write(lodger, app)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_begin_immediate_is_the_way_out(engine: str, lodger: Lodger, app: Engine) -> None:
    begin_with(app, "BEGIN IMMEDIATE")
    assert exists(lodger, read_then_write(lodger, app).id)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_driver_by_itself_begins_with_the_first_write(engine: str, lodger: Lodger, app: Engine) -> None:
    assert exists(lodger, read_then_write(lodger, app).id)


# Unique keys and other people's transactions


def test_an_enqueue_waits_for_the_end_of_an_uncommitted_holder(lodger: Lodger, app: Engine) -> None:
    """Then the holder is returned; when it was rolled back, the waiting one is the first."""
    bound = lodger.by_name("j")
    for commits in (True, False):
        answered: list[Any] = []
        key = f"k-{commits}"
        with Session(app) as session:
            holder = bound.using(tx=session, unique=key).enqueue()
            other = threading.Thread(target=lambda: answered.append(bound.using(unique=key).enqueue()))  # noqa: B023
            other.start()
            other.join(0.5)
            assert other.is_alive()
            assert not answered
            session.commit() if commits else session.rollback()
            wait_until(lambda: answered, 30, "the other enqueue")  # noqa: B023
            other.join()
        assert answered[0].created is not commits
        assert (answered[0].id == holder.id) is commits


def test_a_holder_committed_after_a_snapshot_is_a_serialization_error(tmp_path: Path, databases: Databases) -> None:
    """PostgreSQL in REPEATABLE READ, as for any row; in READ COMMITTED, its default, the holder is returned."""
    url = databases.lease("postgresql", tmp_path)
    lodger = Lodger(url=url)
    lodger.migrate()
    bound = lodger.by_name("j")
    with psycopg.connect(url) as strict, psycopg.connect(url) as usual:
        strict.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for connection in (strict, usual):
            connection.execute("SELECT 1")
        holder = bound.using(unique=Unique(key="k")).enqueue()
        with pytest.raises(psycopg.errors.SerializationFailure):
            bound.using(tx=strict, unique="k").enqueue()
        strict.rollback()
        assert bound.using(tx=strict, unique="k").enqueue().id == holder.id
        assert bound.using(tx=usual, unique="k").enqueue().id == holder.id
    lodger.close()
    databases.give_back("postgresql", url)

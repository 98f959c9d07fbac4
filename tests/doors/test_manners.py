"""What apps do with their connections: autocommit, row factories, blocks that commit, other ways to one database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker

from lodger.errors import RunNotFound, UniqueTimeout
from lodger.model.unique import Unique
from lodger.store import inserts, patience, runs
from lodger.store.doors import Door, open_door
from lodger.store.steps import Step, Steps, perform
from tests.support.clients import CLIENTS, Client, only, open_client
from tests.support.detour import Detour
from tests.support.store import Store, new_run


def insert(client: Client, door: Door) -> str:
    run = new_run()
    client.wait(door.run(inserts.insert(door.dialect, [run])))
    return run.id


def read_back(client: Client, door: Door, run_id: str) -> Any:
    return client.wait(door.run(runs.get(door.dialect, run_id)))


AUTOCOMMIT: dict[str, Callable[[Client], Any]] = {
    "sqlite-sqlite3": lambda app: setattr(app.tx, "isolation_level", None),
    "sqlite-aiosqlite": lambda app: app.tx._execute(setattr, app.tx._conn, "isolation_level", None),  # in its thread
    "sqlite-django": lambda app: app.tx.set_autocommit(True),
    "postgresql-psycopg": lambda app: setattr(app.tx, "autocommit", True),
    "postgresql-psycopg-async": lambda app: app.tx.set_autocommit(True),
    "postgresql-psycopg2": lambda app: setattr(app.tx, "autocommit", True),
    "postgresql-asyncpg": lambda app: app.rollback(),
    "postgresql-django": lambda app: app.tx.set_autocommit(True),
    "mariadb-pymysql": lambda app: app.tx.autocommit(True),
    "mariadb-mysqlclient": lambda app: app.tx.autocommit(True),
    "mariadb-asyncmy": lambda app: app.tx.autocommit(True),
    "mariadb-django": lambda app: app.tx.set_autocommit(True),
}


@only(*AUTOCOMMIT)
def test_in_autocommit_mode_a_statement_stands_alone(client_name: str, client: Client, store: Store) -> None:
    client.wait(AUTOCOMMIT[client_name](client))
    door = open_door(client.tx, store.database)
    run_id = insert(client, door)
    assert store.get(run_id)
    client.wait(door.commit())


@only("postgresql-psycopg", "postgresql-psycopg2", "sqlite-sqlite3", "sqlite-aiosqlite", "mariadb-pymysql")
def test_a_transaction_begun_by_hand_in_autocommit_mode(client_name: str, client: Client, store: Store) -> None:
    client.wait(AUTOCOMMIT[client_name](client))
    door = open_door(client.tx, store.database)
    for how, expected in (("rollback", False), ("commit", True)):
        execute = client.tx.execute if hasattr(client.tx, "execute") else client.tx.cursor().execute
        client.wait(execute("BEGIN"))
        run_id = insert(client, door)
        client.wait(getattr(door, how)())
        assert is_there(store, run_id) is expected


@only(*(name for name in AUTOCOMMIT if not name.startswith("sqlite")))
def test_in_autocommit_mode_nobody_waits_for_ever_either(
    client_name: str, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails on PostgreSQL with patience for the transaction only: each statement is one of its own."""
    monkeypatch.setattr(patience, "WAIT_SECONDS", 1)
    client.wait(AUTOCOMMIT[client_name](client))
    door: Any = open_door(client.tx, store.database)
    before = client.wait(door.run(ask_patience()))
    key = Unique(key=new_run().id)
    with store.database.begin() as holder:
        perform(holder, inserts.insert(store.dialect, [new_run(unique=key)]))
        with pytest.raises(UniqueTimeout):
            client.wait(door.run(inserts.insert(door.dialect, [new_run(unique=key)], in_app=True)))
    assert client.wait(door.run(ask_patience())) == before
    (inserted,) = client.wait(door.run(inserts.insert(door.dialect, [new_run(unique=key)], in_app=True)))
    assert not inserted.created
    assert client.wait(door.run(ask_patience())) == before


def ask_patience() -> Steps[Any]:
    """Steps that return how long the app's statements wait for a lock."""
    rows = yield Step(patience.own_patience, {}, answers=True)
    return rows[0][0]


def is_there(store: Store, run_id: str) -> bool:
    try:
        store.get(run_id)
    except RunNotFound:
        return False
    return True


def _refuse(*_: Any) -> Any:
    raise AssertionError("the app's own row factory was asked")


FACTORIES: dict[str, Callable[[Any], Any]] = {
    "sqlite-sqlite3": lambda tx: setattr(tx, "row_factory", _refuse),
    "sqlite-aiosqlite": lambda tx: setattr(tx, "row_factory", _refuse),
    "postgresql-psycopg": lambda tx: setattr(tx, "row_factory", import_module("psycopg.rows").dict_row),
    "postgresql-psycopg-async": lambda tx: setattr(tx, "row_factory", import_module("psycopg.rows").dict_row),
    "postgresql-psycopg2": lambda tx: setattr(tx, "cursor_factory", import_module("psycopg2.extras").RealDictCursor),
    "mariadb-pymysql": lambda tx: setattr(tx, "cursorclass", import_module("pymysql.cursors").DictCursor),
    "mariadb-mysqlclient": lambda tx: setattr(tx, "cursorclass", import_module("MySQLdb.cursors").DictCursor),
    "mariadb-asyncmy": lambda tx: setattr(tx, "_cursor_cls", import_module("asyncmy.cursors").DictCursor),
}


@only(*FACTORIES)
def test_rows_are_read_by_position_whatever_the_app_set(client_name: str, client: Client, store: Store) -> None:
    FACTORIES[client_name](client.tx)
    door = open_door(client.tx, store.database)
    run_id = insert(client, door)
    assert read_back(client, door, run_id).id == run_id
    client.wait(door.rollback())


@only("postgresql-psycopg", "postgresql-psycopg-async")
def test_in_a_pipeline(client: Client, store: Store) -> None:
    async def inside() -> tuple[str, bool]:
        async with client.tx.pipeline():
            await door.run(inserts.insert(door.dialect, [run]))
            return (await door.run(runs.get(door.dialect, run.id))).id, await door.run(cancel)

    door, run = open_door(client.tx, store.database), new_run()
    cancel = runs.cancel(door.dialect, run.id)
    if door.is_async:
        assert client.wait(inside()) == (run.id, "CANCELLED")
    else:
        with client.tx.pipeline():
            insert_steps = inserts.insert(door.dialect, [run])
            door.run(insert_steps)
            assert door.run(runs.get(door.dialect, run.id)).id == run.id
            assert door.run(cancel) == "CANCELLED"
    client.end("commit")
    assert store.status(run.id) == "CANCELLED"


@only("postgresql-psycopg-async", "postgresql-asyncpg")
@pytest.mark.parametrize("fails", [False, True])
def test_inside_the_drivers_own_block_its_end_decides(client: Client, store: Store, fails: bool) -> None:
    async def block() -> None:
        async with client.tx.transaction():
            assert door.held_by_block
            await door.run(inserts.insert(door.dialect, [run]))
            await (door.rollback() if fails else door.commit())
            if fails:
                raise ZeroDivisionError

    client.wait((client.rollback or client.tx.rollback)())
    door, run = open_door(client.tx, store.database), new_run()
    try:
        client.wait(block())
    except ZeroDivisionError:
        assert fails
    assert not door.held_by_block
    assert is_there(store, run.id) is not fails


@only("sqlite-django", "postgresql-django", "mariadb-django")
@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_inside_djangos_atomic_its_end_decides(client: Client, store: Store, how: str) -> None:
    client.tx.set_autocommit(True)
    proxy = import_module("django.utils.connection").ConnectionProxy(
        import_module("django.db").connections, client.tx.alias
    )  # as django.db.connection is
    door = open_door(proxy, store.database)
    with import_module("django.db").transaction.atomic(using=client.tx.alias):
        assert door.held_by_block
        run_id = insert(client, door)
        getattr(door, how)()
    assert is_there(store, run_id) is (how == "commit")


@only("sqlite-sqlalchemy")
def test_a_scoped_session_stands_for_its_session(client: Client, store: Store) -> None:
    engine = create_engine(store.database.url.url, poolclass=NullPool)
    sessions = scoped_session(sessionmaker(engine))
    door = open_door(sessions, store.database)
    run_id = insert(client, door)
    sessions.rollback()
    assert not is_there(store, run_id)
    with sessions().begin():
        run_id = insert(client, door)
    assert is_there(store, run_id)
    sessions.remove()


@only("sqlite-sqlite3")
def test_another_path_to_the_same_file(client: Client, store: Store, tmp_path: Any) -> None:
    (tmp_path / "link.db").symlink_to(str(store.database.url.url.database))
    tx = sqlite3.connect(tmp_path / "link.db")
    insert(Client(tx, client.runner), open_door(tx, store.database))
    tx.close()


SERVER_CLIENTS = [name for name in CLIENTS if not name.startswith("sqlite")]


@only(*SERVER_CLIENTS)
def test_another_way_to_the_same_server(client_name: str, database_url: str, store: Store) -> None:
    """A pooler or a tunnel: another port, the same database."""
    url = make_url(database_url)
    with Detour(url.port or 0) as detour:
        around = url.set(port=detour.port).render_as_string(hide_password=False)
        with open_client(CLIENTS[client_name], around) as client:
            door = open_door(client.tx, store.database)
            run_id = insert(client, door)
            assert read_back(client, door, run_id).id == run_id
            client.end("rollback")

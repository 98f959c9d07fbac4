"""What is refused as `tx=`, and how: naming both databases, never a password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from lodger.errors import InvalidInput, SchemaError
from lodger.store import inserts
from lodger.store.database import Database
from lodger.store.doors import open_door
from tests.support.clients import CLIENTS, Client, only, open_client
from tests.support.store import Store, new_run
from tools.servers import SERVERS


def try_to_insert(client: Client, database: Database) -> str:
    """Return what the refusal says."""
    with pytest.raises(InvalidInput) as refused:
        client.wait(open_door(client.tx, database).run(inserts.insert(database.dialect, [new_run()])))
    assert refused.value.field == "tx"
    return str(refused.value)


def test_another_database(client_name: str, store: Store, other_url: str) -> None:
    with open_client(CLIENTS[client_name], other_url) as client:
        told = try_to_insert(client, store.database)
        assert store.database.url.safe in told
        assert str(make_url(other_url).database) in told


def test_a_database_without_tables(client_name: str, other_url: str) -> None:
    """In the app's own transaction too it is told what makes them. Fails without the door's explanation."""
    database = Database(other_url)
    with (
        open_client(CLIENTS[client_name], other_url) as client,
        pytest.raises(SchemaError, match="has no Lodger tables: run 'lodger migrate'"),
    ):
        client.wait(open_door(client.tx, database).run(inserts.insert(database.dialect, [new_run()])))


def test_another_engine(client: Client, engine: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db" if engine != "sqlite" else "postgresql://someone:secret@db.example/app"
    database = Database(url)
    told = try_to_insert(client, database)
    assert database.url.safe in told
    assert "secret" not in told


@only(*(name for name in CLIENTS if "session" not in name and "django" not in name))  # those open again by themselves
def test_a_closed_connection(client_name: str, client: Client, store: Store) -> None:
    if client_name == "postgresql-asyncpg-pool":
        client.wait(client.tx._holder.release(None))
    else:
        client.close()
    assert "closed" in try_to_insert(client, store.database)


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_a_database_of_the_same_name_on_another_server(store: Store, engine: str) -> None:
    own = store.database.url.url
    driver = {"postgresql": "psycopg", "mariadb": "pymysql"}[engine]
    with SERVERS[engine]() as server:
        url = server.create_database(str(own.database))
        for name in (f"{engine}-{driver}", f"{engine}-sqlalchemy-{driver}"):
            with open_client(CLIENTS[name], url) as client:
                told = try_to_insert(client, store.database)
            assert f":{own.port}/" in told
            assert f":{make_url(url).port}/" in told


def test_whatever_is_no_connection_is_told_without_its_value() -> None:
    database = Database("sqlite:////never/opened.db")
    for tx in ("postgresql://someone:secret@db.example/app", None, object(), Session, create_engine("sqlite://")):
        with pytest.raises(InvalidInput, match="SQLAlchemy's Connection, Session") as refused:
            open_door(tx, database)
        assert "secret" not in str(refused.value)


def test_a_session_without_one_engine() -> None:
    with Session() as session, pytest.raises(InvalidInput, match="without one bind"):
        open_door(session, Database("sqlite:////never/opened.db"))


def test_no_driver_is_imported_to_recognise_one() -> None:
    program = """
import sys
from lodger.store.database import Database
from lodger.store.doors import open_door
try:
    open_door(object(), Database("sqlite:////never/opened.db"))
except ValueError:
    pass
drivers = {"psycopg", "psycopg2", "asyncpg", "aiosqlite", "pymysql", "MySQLdb", "asyncmy", "django"}
print(sorted(drivers & set(sys.modules)), "sqlalchemy.orm" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"

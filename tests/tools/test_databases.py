"""Each test gets an empty database, whatever the one before it left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect, text

from tests.support.databases import Databases, name_of
from tools.servers.admin import cursor

if TYPE_CHECKING:
    from pathlib import Path

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def with_driver(url: str) -> str:
    """As SQLAlchemy wants it."""
    scheme, rest = url.split(":", 1)
    return f"{DRIVERS[scheme]}:{rest}"


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_test_begins_with_an_empty_database(database_url: str, turn: int) -> None:
    database = create_engine(with_driver(database_url))
    assert inspect(database).get_table_names() == []
    with database.begin() as connection:
        connection.execute(text(f"CREATE TABLE left_by_{turn} (id INTEGER)"))
    database.dispose()


def test_a_postgresql_database_is_used_again_without_what_was_in_it(databases: Databases, tmp_path: Path) -> None:
    url = databases.lease("postgresql", tmp_path)
    with cursor(url) as sql:
        sql.execute("CREATE SCHEMA left_behind")
        sql.execute("CREATE TABLE left_behind.t (id INTEGER)")
        sql.execute("CREATE TABLE t (id INTEGER)")
        sql.execute(f"ALTER DATABASE {name_of(url)} SET timezone = 'Asia/Tokyo'")
    databases.give_back("postgresql", url)
    assert databases.lease("postgresql", tmp_path) == url
    with cursor(url) as sql:
        sql.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")
        assert {name for (name,) in sql.fetchall()} == {"public", "information_schema"}
        sql.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert sql.fetchone() is None
        sql.execute("SHOW timezone")
        assert sql.fetchone()[0] == "UTC"
    databases.give_back("postgresql", url)


def test_a_database_that_somebody_still_uses_is_not_used_again(databases: Databases, tmp_path: Path) -> None:
    url = databases.lease("postgresql", tmp_path)
    with cursor(url):
        databases.give_back("postgresql", url)
        other = databases.lease("postgresql", tmp_path)
        assert other != url
    databases.give_back("postgresql", other)

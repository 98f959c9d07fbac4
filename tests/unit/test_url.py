"""Database URLs in every spelling an app may use."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from lodger.errors import ConfigurationError, DatabaseUrlMissing, DriverMissing
from lodger.store import url as url_module
from lodger.store.url import parse

POSTGRESQL = "postgresql+psycopg://u:***@h/db"
MYSQL = "mysql+pymysql://u:***@h/db"
SPELLINGS = {
    "postgres://u:p@h/db": POSTGRESQL,
    "postgresql://u:p@h/db": POSTGRESQL,
    "postgresql+psycopg://u:p@h/db": POSTGRESQL,
    "postgresql+psycopg2://u:p@h/db": POSTGRESQL,
    "postgresql+psycopg_async://u:p@h/db": POSTGRESQL,
    "postgresql+asyncpg://u:p@h/db": POSTGRESQL,
    "postgresql+pg8000://u:p@h/db": POSTGRESQL,
    "postgres+asyncpg://u:p@h/db": POSTGRESQL,
    "postgresql+asyncpg://u:p@h/db?ssl=require": POSTGRESQL + "?sslmode=require",
    "postgresql+asyncpg://u:p@h/db?prepared_statement_cache_size=0&statement_cache_size=0": POSTGRESQL,
    "postgresql://u:p@h/db?options=-csearch_path%3Dapp": POSTGRESQL + "?options=-csearch_path%3Dapp",
    "postgresql://u:p@[::1]:6543/db": "postgresql+psycopg://u:***@[::1]:6543/db",
    "postgresql:///db?host=/var/run": "postgresql+psycopg:///db?host=%2Fvar%2Frun",
    "mysql://u:p@h/db": MYSQL,
    "mariadb://u:p@h/db": MYSQL,
    "mysql+pymysql://u:p@h/db": MYSQL,
    "mysql+mysqldb://u:p@h/db": MYSQL,
    "mysql+asyncmy://u:p@h/db": MYSQL,
    "mysql+aiomysql://u:p@h/db": MYSQL,
    "mariadb+pymysql://u:p@h/db": MYSQL,
    "mariadb+mariadbconnector://u:p@h/db": MYSQL,
    "mysql://u:p@h/db?charset=utf8mb4": MYSQL + "?charset=utf8mb4",
    "sqlite:////srv/app.db": "sqlite+pysqlite:////srv/app.db",
    "sqlite:///app.db": "sqlite+pysqlite:///app.db",
    "sqlite+pysqlite:////srv/app.db": "sqlite+pysqlite:////srv/app.db",
    "sqlite+aiosqlite:////srv/app.db": "sqlite+pysqlite:////srv/app.db",
    "sqlite+pysqlcipher:////srv/app.db": "sqlite+pysqlite:////srv/app.db",
}


@pytest.fixture(autouse=True)
def without_mysqlclient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the drivers of the extras, whatever else this machine has."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(url_module, "find_spec", lambda name: None if name == "MySQLdb" else find_spec(name))


@pytest.mark.parametrize(("written", "used"), SPELLINGS.items())
def test_every_spelling_is_turned_into_our_own_driver(written: str, used: str) -> None:
    """The app keeps its URL, with whatever driver it uses itself."""
    parsed = parse(written)
    assert parsed.safe == used
    assert used.startswith(parsed.dialect)


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_url_the_variable_to_set_is_named(text: str | None) -> None:
    """There is no default database."""
    with pytest.raises(DatabaseUrlMissing, match=r"DATABASE_URL.*postgresql://"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "postgresql:/h/db",
        " postgresql://h/db",
        "oracle://u:hunter2@h/db",
        "POSTGRESQL://u:hunter2@h/db",
        "postgresql://u:hunter2@h",
        "mysql://u:hunter2@h/",
        "mariadb://u:hunter2@h",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:hunter2/x@y:hunter2/db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+aiosqlite://",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "sqlite:///file::memory:?cache=shared&uri=true",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_its_password(text: str) -> None:
    """The error goes to logs. Fails without ValueError in ``parse``: a port that is no number got past it."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert caught.value.field == "DATABASE_URL"
    assert "hunter2" not in str(caught.value)
    assert "allowed" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "extra"),
    [("postgresql+asyncpg://h/db", "postgresql"), ("mysql://h/db", "mysql"), ("mariadb://h/db", "mysql")],
)
def test_a_missing_driver_is_named_with_the_extra_that_brings_it(
    text: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing that a new user meets."""
    monkeypatch.setattr(url_module, "find_spec", lambda _: None)
    with pytest.raises(DriverMissing, match=rf"pip install 'lodger\[{extra}\]'"):
        parse(text)


def test_mysqlclient_is_preferred_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the faster one."""
    monkeypatch.setattr(url_module, "find_spec", lambda _: object())
    assert parse("mysql+asyncmy://h/db").url.drivername == "mysql+mysqldb"


def test_a_sqlite_uri_has_the_path_of_its_file() -> None:
    """The lock beside the file. Fails when ``path`` keeps 'file:': there is no such folder."""
    assert parse("sqlite:///file:/srv/app.db?uri=true").path == "/srv/app.db"
    assert parse("sqlite:////srv/app.db").path == "/srv/app.db"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://a:b@h/db", "postgres+asyncpg://c@H:5432/db?ssl=require", True),
        ("mysql://h/db", "mariadb+asyncmy://u@h:3306/db", True),
        ("sqlite:////srv/../srv/app.db", "sqlite+aiosqlite:////srv/app.db", True),
        ("sqlite:////srv/app.db", "sqlite:///file:/srv/app.db?uri=true", True),
        ("postgresql://h/db", "postgresql://h/other", False),
        ("postgresql://h/db", "postgresql://h:5433/db", False),
        ("postgresql://h/db", "mysql://h/db", False),
        ("sqlite:////srv/app.db", "sqlite:////srv/b.db", False),
    ],
)
def test_the_same_database_has_the_same_identity_in_every_spelling(one: str, other: str, same: bool) -> None:
    """Processes of one host find each other by it."""
    assert (parse(one).identity == parse(other).identity) is same


def test_a_parsed_url_can_be_compared() -> None:
    """It is a value."""
    value: Any = parse("postgresql://h/db")
    assert value == parse("postgresql+asyncpg://h/db")


def test_a_password_in_the_query_is_not_shown() -> None:
    """Both libpq and PyMySQL take one there, too."""
    for text in ("postgresql://h/db?user=u&password=hunter2", "mysql://h/db?passwd=hunter2"):
        parsed = parse(text)
        assert "hunter2" not in parsed.safe
        assert "hunter2" in parsed.url.render_as_string(hide_password=False)

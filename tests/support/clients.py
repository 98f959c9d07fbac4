"""The app's side of a `tx=`: one open connection of one driver. Sync and async ones look the same to a test."""

from __future__ import annotations

from asyncio import Runner
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from inspect import isawaitable
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from .django_side import django_connection


@dataclass
class Client:
    """The object to give as `tx=`, and how its app ends its transaction."""

    tx: Any
    runner: Runner
    begin: Callable[[], Any] = lambda: None
    commit: Callable[[], Any] | None = None
    rollback: Callable[[], Any] | None = None
    is_closed: bool = False

    def wait(self, value: Any) -> Any:
        """Return `value`, or what it comes to on this client's event loop."""
        return self.runner.run(_awaited(value)) if isawaitable(value) else value

    def end(self, how: str) -> None:
        """End the app's transaction by "commit" or "rollback", and begin the next."""
        self.wait((getattr(self, how) or getattr(self.tx, how))())
        self.wait(self.begin())

    def close(self) -> None:
        """Close it, once."""
        if not self.is_closed:
            self.is_closed = True
            self.wait(self.tx.close())


async def _awaited(value: Any) -> Any:
    return await value


Opener = Callable[[URL, Runner], AbstractContextManager[Client]]


@contextmanager
def open_client(opener: Opener, url: str) -> Iterator[Client]:
    """A client on the database `url`, closed at the end."""
    with Runner() as runner, opener(make_url(url), runner) as client:
        client.wait(client.begin())
        yield client


def driver(module: str, connect: Callable[[Any, URL], Any]) -> Opener:
    """A raw driver whose transaction begins by itself."""

    @contextmanager
    def opener(url: URL, runner: Runner) -> Iterator[Client]:
        client = Client(None, runner)
        client.tx = client.wait(connect(import_module(module), url))
        yield client
        client.close()

    return opener


def alchemy(drivername: str, *, session: bool) -> Opener:
    """SQLAlchemy's Connection or Session."""

    @contextmanager
    def opener(url: URL, runner: Runner) -> Iterator[Client]:
        engine = create_engine(url.set(drivername=drivername), poolclass=NullPool)
        with Session(engine) if session else engine.connect() as tx:
            yield Client(tx, runner)
        engine.dispose()

    return opener


def async_alchemy(drivername: str, *, session: bool) -> Opener:
    """SQLAlchemy's AsyncConnection or AsyncSession."""

    @contextmanager
    def opener(url: URL, runner: Runner) -> Iterator[Client]:
        engine = create_async_engine(url.set(drivername=drivername), poolclass=NullPool)
        tx = AsyncSession(engine) if session else runner.run(_awaited(engine.connect()))
        yield Client(tx, runner)
        runner.run(tx.close())
        runner.run(engine.dispose())

    return opener


@contextmanager
def asyncpg_connection(url: URL, runner: Runner) -> Iterator[Client]:
    tx = runner.run(import_module("asyncpg").connect(url.render_as_string(hide_password=False)))
    yield with_transactions(tx, runner)
    runner.run(tx.close())


@contextmanager
def asyncpg_pooled(url: URL, runner: Runner) -> Iterator[Client]:
    async def acquire() -> Any:
        pool = await import_module("asyncpg").create_pool(
            url.render_as_string(hide_password=False), min_size=1, max_size=1
        )
        return pool, await pool.acquire()

    pool, tx = runner.run(acquire())
    client = with_transactions(tx, runner)
    yield client
    pool.terminate()


def with_transactions(tx: Any, runner: Runner) -> Client:
    """A client of asyncpg, whose transactions are objects."""
    current: list[Any] = []

    def begin() -> Any:
        current[:] = [tx.transaction()]
        return current[0].start()

    def end(how: str) -> Any:
        return getattr(current[0], how)()

    return Client(tx, runner, begin, partial(end, "commit"), partial(end, "rollback"))


@contextmanager
def django(url: URL, runner: Runner) -> Iterator[Client]:
    with django_connection(url) as tx:
        yield Client(tx, runner, begin=lambda: tx.set_autocommit(False))


def _mysql(url: URL) -> dict[str, Any]:
    return {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password or "",
        "database": url.database,
    }


def _libpq(url: URL) -> str:
    return url.render_as_string(hide_password=False)


SQLITE: dict[str, Opener] = {
    "sqlite3": driver("sqlite3", lambda m, url: m.connect(url.database)),
    "aiosqlite": driver("aiosqlite", lambda m, url: m.connect(url.database)),
    "django": django,
    "sqlalchemy": alchemy("sqlite", session=False),
    "sqlalchemy-session": alchemy("sqlite", session=True),
    "sqlalchemy-aiosqlite": async_alchemy("sqlite+aiosqlite", session=False),
    "sqlalchemy-aiosqlite-session": async_alchemy("sqlite+aiosqlite", session=True),
}
POSTGRESQL: dict[str, Opener] = {
    "psycopg": driver("psycopg", lambda m, url: m.connect(_libpq(url))),
    "psycopg-async": driver("psycopg", lambda m, url: m.AsyncConnection.connect(_libpq(url))),
    "psycopg2": driver("psycopg2", lambda m, url: m.connect(_libpq(url))),
    "asyncpg": asyncpg_connection,
    "asyncpg-pool": asyncpg_pooled,
    "django": django,
    "sqlalchemy-psycopg": alchemy("postgresql+psycopg", session=False),
    "sqlalchemy-psycopg-session": alchemy("postgresql+psycopg", session=True),
    "sqlalchemy-psycopg2": alchemy("postgresql+psycopg2", session=False),
    "sqlalchemy-psycopg-async": async_alchemy("postgresql+psycopg", session=False),
    "sqlalchemy-asyncpg": async_alchemy("postgresql+asyncpg", session=False),
    "sqlalchemy-asyncpg-session": async_alchemy("postgresql+asyncpg", session=True),
}
MARIADB: dict[str, Opener] = {
    "pymysql": driver("pymysql", lambda m, url: m.connect(**_mysql(url))),
    "mysqlclient": driver("MySQLdb", lambda m, url: m.connect(**_mysql(url))),
    "asyncmy": driver("asyncmy", lambda m, url: m.connect(**_mysql(url))),
    "django": django,
    "sqlalchemy-pymysql": alchemy("mysql+pymysql", session=False),
    "sqlalchemy-pymysql-session": alchemy("mysql+pymysql", session=True),
    "sqlalchemy-mysqldb": alchemy("mysql+mysqldb", session=False),
    "sqlalchemy-asyncmy": async_alchemy("mysql+asyncmy", session=False),
    "sqlalchemy-asyncmy-session": async_alchemy("mysql+asyncmy", session=True),
}
CLIENTS: dict[str, Opener] = {
    f"{engine}-{name}": opener
    for engine, openers in {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mariadb": MARIADB}.items()
    for name, opener in openers.items()
    # These two are tested where they are installed; mysqlclient needs a compiler.
    if not ("psycopg2" in name and find_spec("psycopg2") is None)
    if not (name in {"mysqlclient", "sqlalchemy-mysqldb"} and find_spec("MySQLdb") is None)
}


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test with these clients, not with all."""
    return pytest.mark.parametrize("client_name", [name for name in names if name in CLIENTS], indirect=True)

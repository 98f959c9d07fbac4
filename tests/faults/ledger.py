"""The ledger: the app's own table, which jobs write in the transaction that ends their run."""

from __future__ import annotations

import os
from functools import cached_property

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVERS = {
    "sqlite": ("sqlite+pysqlite", "sqlite+aiosqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
    "mysql": ("mysql+pymysql", "mysql+asyncmy"),
}
# No unique key: a second row must be possible, or counting them would prove nothing.
CREATE = "CREATE TABLE IF NOT EXISTS ledger (run_id VARCHAR(36) NOT NULL, fence INTEGER NOT NULL)"
INSERT = text("INSERT INTO ledger (run_id, fence) VALUES (:run_id, :fence)")


def open_engine(url: str) -> Engine:
    """The app's own engine on the database that Lodger uses too."""
    place = make_url(url)
    backend = place.get_backend_name()
    engine = create_engine(place.set(drivername=DRIVERS[backend][0]), connect_args=_patience(backend), pool_size=20)
    if backend == "sqlite":
        event.listen(engine, "connect", _sqlite_as_an_app)
    return engine


def _patience(backend: str) -> dict[str, int]:
    return {"timeout": 30} if backend == "sqlite" else {}


def _sqlite_as_an_app(connection: object, _record: object) -> None:
    connection.execute("PRAGMA synchronous = FULL")  # type: ignore[attr-defined]


class Res:
    """What the worker lifespan yields; engines are made when a job first needs them."""

    def __init__(self) -> None:
        self._url = os.environ["DATABASE_URL"]

    @cached_property
    def engine(self) -> Engine:
        """For plain jobs."""
        return open_engine(self._url)

    @cached_property
    def async_engine(self) -> AsyncEngine:
        """For async jobs."""
        place = make_url(self._url)
        backend = place.get_backend_name()
        driver = place.set(drivername=DRIVERS[backend][1])
        return create_async_engine(driver, connect_args=_patience(backend), pool_size=20)

    async def close(self) -> None:
        """Close what was opened."""
        if "engine" in self.__dict__:
            self.engine.dispose()
        if "async_engine" in self.__dict__:
            await self.async_engine.dispose()

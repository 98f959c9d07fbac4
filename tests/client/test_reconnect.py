"""The database was away and is back: what had been open is dead, and an app sees nothing of it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

import pytest

from lodger import Lodger
from lodger.store.database import Conn, Database
from lodger.store.sql import Statement
from tests.client.jobs import Jobs

POOL = 10


def fill_pool(database: Database) -> None:
    """Open as many connections as the app may ever have had in use at once."""
    with ExitStack() as stack:
        for _ in range(POOL):
            stack.enter_context(database.connect())


def kill_others(conn: Conn) -> None:
    """End all connections to this database but this one, as a restart of the server does."""
    if conn.dialect == "postgresql":
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert len(conn.rows(Statement(lambda _: f"SELECT pg_terminate_backend(pid, 5000) {others}"))) >= POOL
    elif conn.dialect == "mysql":
        others = "FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        found = conn.rows(Statement(lambda _: f"SELECT id {others}"))
        assert len(found) >= POOL
        for (number,) in found:
            with suppress(Exception):  # it has just ended
                conn.run(f"KILL {number}")


@pytest.mark.parametrize("way", ["enqueue", "aenqueue", "get"])
def test_a_pool_of_dead_connections_costs_one_try(jobs: Jobs, app: Lodger, database_url: str, way: str) -> None:
    """Fails when only the connection that failed is thrown away: there are more dead ones than tries."""
    handle = jobs.resize.enqueue("a")
    fill_pool(app.database)
    other = Database(database_url, pool_size=1)
    with other.connect() as conn:
        kill_others(conn)
    other.dispose()
    if way == "enqueue":
        handle = jobs.resize.enqueue("b")
    elif way == "aenqueue":
        handle = asyncio.run(jobs.resize.aenqueue("b"))
    assert handle.refresh().status == "QUEUED"

"""A migrated store, and the command as people start it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lodger import cli
from lodger.store.database import Database
from tests.support.schedules import Schedules
from tests.support.store import Store

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    database = Database(database_url, pool_size=5)
    yield Store(database)
    database.dispose()


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


@pytest.fixture
def lodger(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command; returns its exit code, what it printed and what it complained about."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LODGER_APP", "tests.doctor.app:lodger")
    monkeypatch.setenv("LODGER_ENVIRONMENT", "e")  # that of the store's workers

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        return code, *capsys.readouterr()

    return run

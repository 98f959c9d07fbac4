"""Every driver in turn, and one migrated database per engine for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lodger.store.database import Database
from tests.support.clients import CLIENTS, Client, open_client
from tests.support.databases import Databases
from tests.support.store import Store


class Homes:
    """One migrated database per engine, made when first asked for."""

    def __init__(self, databases: Databases, directories: pytest.TempPathFactory) -> None:
        self._databases = databases
        self._directories = directories
        self._made: dict[str, tuple[str, Store]] = {}

    def of(self, engine: str) -> tuple[str, Store]:
        if engine not in self._made:
            url = self._databases.lease(engine, self._directories.mktemp("home"))
            self._made[engine] = url, Store(Database(url))
        return self._made[engine]

    def close(self) -> None:
        for engine, (url, store) in self._made.items():
            store.database.dispose()
            self._databases.give_back(engine, url)


@pytest.fixture(scope="package")
def homes(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    made = Homes(databases, tmp_path_factory)
    yield made
    made.close()


@pytest.fixture(params=CLIENTS)
def client_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(client_name: str) -> str:
    return client_name.partition("-")[0]


@pytest.fixture
def database_url(engine: str, homes: Homes) -> str:
    return homes.of(engine)[0]


@pytest.fixture
def store(engine: str, homes: Homes) -> Store:
    return homes.of(engine)[1]


@pytest.fixture
def client(client_name: str, database_url: str) -> Iterator[Client]:
    with open_client(CLIENTS[client_name], database_url) as opened:
        yield opened


@pytest.fixture
def other_url(engine: str, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """Another empty database on the same server."""
    url = databases.lease(engine, tmp_path)
    yield url
    databases.give_back(engine, url)

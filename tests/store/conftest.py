"""A migrated store for each test, on each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lodger.store.database import Database
from tests.support.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A new store with Lodger's tables; twenty threads can use it at once."""
    database = Database(database_url, pool_size=20)
    yield Store(database)
    database.dispose()

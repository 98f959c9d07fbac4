"""Fixtures that every test can ask for. Each test that asks for `engine` runs on all three."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import ENGINES, Databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Forget the settings of the developer's shell: the tests set their own."""
    for name in list(os.environ):
        ours = name.startswith("LODGER_") and not name.startswith(("LODGER_TEST_", "LODGER_STORM"))
        if ours or name in {"DATABASE_URL", "EMBEDDED_JOB_WORKER"}:
            del os.environ[name]


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The servers, started when first needed, and their databases."""
    opened = Databases()
    yield opened
    opened.close()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn: "sqlite", "postgresql", "mariadb"."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, databases: Databases, tmp_path: Path) -> Iterator[str]:
    """A new empty database on `engine`, as an application would write it in DATABASE_URL."""
    url = databases.lease(engine, tmp_path)
    yield url
    databases.give_back(engine, url)

"""An app with nobody working for it: what it enqueues stays where it was put."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lodger import Lodger
from tests.client.jobs import Jobs
from tests.support.store import Store


@pytest.fixture
def app(database_url: str) -> Iterator[Lodger]:
    """A Lodger object on each engine in turn, its tables made."""
    made = Lodger(url=database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Lodger]:
    """A Lodger object on SQLite, for what is the same on all engines."""
    made = Lodger(url=f"sqlite:///{tmp_path}/test.db")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def store(app: Lodger) -> Store:
    """What stands behind `app`: for claiming and ending its runs by hand."""
    return Store(app.database)


@pytest.fixture
def jobs(app: Lodger) -> Jobs:
    """The jobs of `app`."""
    return Jobs(app)

"""Databases, a short directory for sockets, and listeners and announcers that are stopped at the test's end."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lodger.store.database import Database
from lodger.wake.announcer import Announcer
from lodger.wake.listener import Listener
from tests.wake.helpers import HASTY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.databases import Databases
    from tests.wake.helpers import Start, Wakes


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A directory for sockets; pytest's own are too deep for their paths."""
    with tempfile.TemporaryDirectory(prefix="lw-") as directory:
        yield Path(directory)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database on which only the sockets work. It is never opened."""
    return Database(f"sqlite:///{tmp_path}/app.db")


@pytest.fixture
def postgresql_url(databases: Databases, tmp_path: Path) -> Iterator[str]:
    url = databases.lease("postgresql", tmp_path)
    yield url
    databases.give_back("postgresql", url)


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Database]:
    database = Database(postgresql_url)
    yield database
    database.dispose()


@pytest.fixture
def start(runtime_dir: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(database: Database, wakes: Wakes, **options: Any) -> Listener:
            listener = Listener(database, wakes, **{"runtime_dir": runtime_dir, "pace": HASTY} | options)
            stack.callback(listener.stop)
            listener.start()
            return listener

        yield begin


@pytest.fixture
def announcers(runtime_dir: Path) -> Iterator[Any]:
    """Make announcers that are closed at the test's end."""
    with ExitStack() as stack:

        def make(database: Database, directory: Path = runtime_dir) -> Announcer:
            announcer = Announcer(database, directory)
            stack.callback(announcer.close)
            return announcer

        yield make

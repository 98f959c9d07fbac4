"""A migrated store with schedules, and daemons to look after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lodger import settings as settings_module
from lodger.scheduler.daemon import Daemon, make_daemon
from lodger.store.database import Database
from tests.support.schedules import Schedules
from tests.support.store import Store

QUICK = {"beat_seconds": 0.1, "dead_after_seconds": 0.5, "sweep_seconds": 0.1, "schedule_seconds": 0.1}

StartDaemon = Callable[..., Daemon]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    database = Database(database_url, pool_size=5)
    yield Store(database)
    database.dispose()


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


@pytest.fixture
def start_daemon(database_url: str, store: Store) -> Iterator[StartDaemon]:
    """Starts a daemon with connections of its own; all are stopped at the end."""
    started: list[tuple[Daemon, Database]] = []

    def start(*, specs: Any = (), **settings: Any) -> Daemon:
        database = Database(database_url, pool_size=2)
        daemon = make_daemon(settings_module.read({**QUICK, **settings}), database, specs=specs)
        started.append((daemon, database))
        daemon.start()
        return daemon

    yield start
    for daemon, _ in started:
        daemon.request_stop()
    for daemon, database in started:
        daemon.stop()
        database.dispose()

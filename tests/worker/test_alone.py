"""An engine that goes on without a supervisor does for itself what that would do."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any, cast

from lodger.processes.clock import clock
from lodger.settings import Settings
from lodger.store.database import Database
from lodger.worker.alone import Alone
from lodger.worker.engine import Engine


class Idle:
    """An engine that only listens."""

    active = 1

    def __init__(self) -> None:
        self.is_abandoned = threading.Event()

    def retire(self) -> None:
        """It has nothing to claim."""

    def abandon(self) -> None:
        self.is_abandoned.set()


def test_it_gives_its_runs_up_in_time_not_with_a_beat(tmp_path: Path) -> None:
    """The time counts from its supervisor's last beat. Fails when it is looked at after each beat only."""
    engine = Idle()
    away = Database(f"sqlite:///{tmp_path}/missing/app.db")
    settings = Settings(app="x:y", beat_seconds=30, dead_after_seconds=60)
    alone = Alone(cast("Engine", engine), settings, away, "00000000-0000-7000-8000-000000000000", 1)
    orders: dict[str, Any] = {"directory": "", "key": "", "server": os.getpid(), "engines": []}
    alone.begin({**orders, "confirmed": clock() - 52})  # two seconds before the fence, which no beat is near
    assert engine.is_abandoned.wait(15)
    alone.end()
    away.dispose()


def test_it_gives_its_runs_up_though_a_beat_hangs() -> None:
    """A database that takes connections and says nothing. Fails when who beats looks at the time, too."""
    engine = Idle()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/app")
        settings = Settings(app="x:y", beat_seconds=1, dead_after_seconds=5)
        alone = Alone(cast("Engine", engine), settings, database, "00000000-0000-7000-8000-000000000000", 1)
        orders: dict[str, Any] = {"directory": "", "key": "", "server": os.getpid(), "engines": []}
        alone.begin({**orders, "confirmed": clock() - 2})
        assert engine.is_abandoned.wait(6)  # a connect is given up after ten seconds
    alone.end()
    database.dispose()

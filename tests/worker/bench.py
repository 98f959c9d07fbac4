"""One engine in this process, looked at from within."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lodger import Lodger
from lodger.model.ids import new_id
from lodger.settings import Settings
from lodger.store import workers
from lodger.store.database import Database
from lodger.worker.engine import Engine, Identity


class Bench:
    """An app, its database, and engines for it."""

    def __init__(self, url: str) -> None:
        self.lodger = Lodger(url=url)
        self.lodger.migrate()
        self._url = url

    def engine(self, *, child: Mapping[str, Any] | None = None, **settings: Any) -> Engine:
        """A new worker's engine, not started yet; `child` is what its processes are told first."""
        worker = new_id()
        database = Database(self._url)
        row = workers.NewWorker(
            id=worker,
            environment="default",
            release="",
            placement="thread",
            host="h",
            pid=1,
            queues=(),
            dead_after_seconds=60,
        )
        database.transact(lambda conn: workers.register(conn, row))
        return Engine(
            registry=self.lodger.registry,
            database=database,
            settings=Settings(poll_seconds=0.05, **settings),
            identity=Identity(worker=worker, number=1, owns_process=False),
            child_message=child or {},
        )

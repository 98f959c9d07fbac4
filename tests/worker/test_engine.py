"""One engine in this process, looked at from within."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lodger import Lodger
from lodger.model.ids import new_id
from lodger.settings import Settings
from lodger.store import workers
from lodger.store.database import Database
from lodger.worker import engine as engine_module
from lodger.worker.engine import Engine, Identity


class Bench:
    """An app, its database, and engines for it."""

    def __init__(self, url: str) -> None:
        self.lodger = Lodger(url=url)
        self.lodger.migrate()
        self._url = url

    def engine(self, **settings: Any) -> Engine:
        """A new worker's engine, not started yet."""
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
            child_message={},
        )


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Bench]:
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(tmp_path))
    made = Bench(database_url)
    yield made
    made.lodger.close()


def test_a_drain_waits_for_what_has_left_its_slot(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run ends just as its engine drains: what it came to is recorded before the engine ends.

    Fails with an end as soon as no slot is taken and no outcome waits: this one is in between.
    """

    @bench.lodger.job(name="short")
    def short() -> None:
        pass

    engine = bench.engine()
    between, goes_on = threading.Event(), threading.Event()
    decide = engine_module.decide

    def slow_decide(*args: Any) -> Any:
        between.set()
        assert goes_on.wait(30)
        return decide(*args)

    monkeypatch.setattr(engine_module, "decide", slow_decide)
    run = short.enqueue()
    engine.start()
    thread = threading.Thread(target=engine.run)
    thread.start()
    assert between.wait(30)
    engine.drain()
    thread.join(1)
    assert thread.is_alive(), "the engine has ended over a run that it holds"
    goes_on.set()
    thread.join(30)
    assert run.status() == "SUCCEEDED"
    engine.close()

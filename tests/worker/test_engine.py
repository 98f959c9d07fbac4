"""One engine in this process, looked at from within."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lodger.worker import engine as engine_module
from tests.worker.bench import Bench


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
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    assert between.wait(30)
    engine.drain()
    thread.join(1)
    assert thread.is_alive(), "the engine has ended over a run that it holds"
    goes_on.set()
    thread.join(30)
    assert run.status() == "SUCCEEDED"
    engine.close()

"""Processes of the process executor that do not come to life."""

from __future__ import annotations

import sys
import threading

import pytest

from lodger import Retry
from lodger.worker.executors import process
from tests.support.wait import wait_until
from tests.worker.bench import Bench


def test_a_process_that_hangs_in_its_import_fails_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails without START_SECONDS: the run stays RUNNING, and its slot is taken, for ever."""
    monkeypatch.setattr(process, "START_SECONDS", 0.5)

    @bench.lodger.job(name="apart", executor="process", retry=Retry(max_attempts=1))
    def apart() -> None:
        pass

    engine = bench.engine(child={"app": "tests.worker.hanging:lodger", "path": sys.path, "priority": "normal"})
    run = apart.enqueue()
    engine.start()
    thread = threading.Thread(target=engine.run, daemon=True)
    thread.start()
    wait_until(lambda: run.status() == "FAILED", 60, "the run to fail")
    (attempt,) = bench.lodger.attempts(run.id)
    assert attempt.error is not None
    assert attempt.error.type == "ProcessNotStarted"
    assert "signal SIGKILL" in attempt.error.message
    engine.drain()
    thread.join(30)
    engine.close()

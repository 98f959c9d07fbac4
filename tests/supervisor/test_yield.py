"""A worker leaves pairs of queue and job to others, and its row tells what its engines are up to."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lodger import Lodger
from lodger import settings as settings_module
from lodger.model.coverage import ANY_QUEUE, Pair, SeenWorker, is_crash_looping
from lodger.placement.launch import Placement, make_supervisor
from lodger.store import coverage
from lodger.store.database import Database
from lodger.supervisor.supervisor import Supervisor
from tests.supervisor.app import alpha, beta, patient
from tests.supervisor.app import lodger as app
from tests.support.wait import wait_until

QUICK = {"beat_seconds": 0.2, "dead_after_seconds": 2, "poll_seconds": 0.1, "grace_seconds": 1}


class Bench:
    """One supervisor under test, and the enqueuing side."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lodger = Lodger(url=url)
        self.lodger.migrate()
        self.database = Database(url)
        self.supervisor: Supervisor | None = None

    def start(self, placement: Placement = "child", yields: frozenset[Pair] = frozenset(), **given: object) -> None:
        settings = settings_module.read({"app": "tests.supervisor.app:lodger", **QUICK, **given})
        self.supervisor = make_supervisor(placement, settings, self.url, app.registry)
        self.supervisor.yield_pairs(yields)
        self.supervisor.start()

    def seen(self) -> SeenWorker | None:
        with self.database.connect() as conn:
            return next(iter(coverage.workers(conn)), None)

    def wait_ready(self) -> SeenWorker:
        return wait_until(lambda: (one := self.seen()) and one.jobs and one, 30, "a ready worker")

    def put(self, *pairs: Pair) -> list[str]:
        """Enqueue one run per (queue, job); return their ids."""
        return [self.lodger.by_name(job, queue=queue).enqueue().id for queue, job in pairs]

    def wait_done(self, *ids: str) -> None:
        wait_until(lambda: all(self.status(one) == "SUCCEEDED" for one in ids), 30, "the runs")

    def status(self, run_id: str) -> str:
        return str(self.lodger.get_run(run_id).status)

    def close(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
        self.lodger.close()
        self.database.dispose()


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    runtime = Path(tempfile.mkdtemp(prefix="lodger-"))  # pytest's own paths are too long for a socket
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(runtime))
    made = Bench(database_url)
    yield made
    made.close()
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.mark.parametrize("placement", ["child", "thread"])
def test_what_is_yielded_before_the_start_is_never_claimed(bench: Bench, placement: Placement) -> None:
    """One queue of a job, and another job in all queues; what is left runs.

    Fails without `_ours` in the claimer.
    """
    left = bench.put(("media", alpha.name), ("default", beta.name), ("media", beta.name))
    ours = bench.put(("default", alpha.name), ("other", alpha.name))
    bench.start(placement, frozenset({("media", alpha.name), (ANY_QUEUE, beta.name)}))
    bench.wait_done(*ours, *bench.put(("default", alpha.name)))
    assert {bench.status(one) for one in left} == {"QUEUED"}
    assert {bench.lodger.get_run(one).fence for one in left} == {0}


def test_pairs_are_left_and_taken_back_while_it_runs(bench: Bench) -> None:
    """Within a turn of the supervisor, without a restart of the engine.

    Fails without the loop in `_turn`.
    """
    bench.start()
    pid = bench.wait_ready().pid
    bench.wait_done(*bench.put(("media", alpha.name)))
    supervisor = bench.supervisor
    assert supervisor is not None
    supervisor.yield_pairs(frozenset({("media", alpha.name)}))
    wait_until(lambda: (one := bench.seen()) and one.engines[0].yields, 5, "the row to tell")
    (left,) = bench.put(("media", alpha.name))
    bench.wait_done(*bench.put(("default", alpha.name)))
    assert bench.status(left) == "QUEUED"
    supervisor.yield_pairs(frozenset())
    bench.wait_done(left)
    seen = bench.seen()
    assert seen is not None
    assert (seen.pid, seen.engines[0].number) == (pid, 1)


def test_a_new_engine_yields_what_its_predecessor_did(bench: Bench) -> None:
    """Fails when yields are sent only when they change, not to each engine."""
    bench.start(yields=frozenset({(ANY_QUEUE, beta.name)}))
    bench.wait_ready()
    supervisor = bench.supervisor
    assert supervisor is not None
    os.kill(supervisor.engines[0].describe()["pid"], signal.SIGKILL)
    wait_until(lambda: (one := bench.seen()) and one.engines[0].number == 2 and one.jobs, 30, "the second engine")
    (left,) = bench.put(("default", beta.name))
    bench.wait_done(*bench.put(("default", alpha.name)))
    assert bench.status(left) == "QUEUED"


def test_an_app_that_does_not_start_is_told_as_crash_looping(bench: Bench) -> None:
    """With its error, and while no engine lives, too. Fails without the engines that wait for their restart."""
    bench.start("separate", app="tests.supervisor.app:missing")
    seen = wait_until(lambda: (one := bench.seen()) and is_crash_looping(one) and one, 30, "a crash loop")
    assert "missing" in (seen.engines[0].error or "")
    assert not seen.jobs


def test_leaving_is_told_at_once(bench: Bench, tmp_path: Path) -> None:
    """While it drains, not with the next beat: how long others wait before they take over is counted from then.

    Fails without the beat at the begin of `_drain`.
    """
    flag = tmp_path / "flag"
    bench.start("separate", beat_seconds=25, dead_after_seconds=60, grace_seconds=30)
    bench.wait_ready()
    held = bench.lodger.by_name(patient.name).enqueue(str(flag))
    wait_until(lambda: bench.status(held.id) == "RUNNING", 30, "a run to wait for")
    supervisor = bench.supervisor
    assert supervisor is not None
    supervisor.request_stop()
    seen = wait_until(lambda: (one := bench.seen()) and one.stopping_seconds is not None and one, 5, "its last word")
    assert seen.is_live
    flag.touch()
    bench.wait_done(held.id)

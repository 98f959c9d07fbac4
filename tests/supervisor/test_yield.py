"""A worker leaves pairs of queue and job to others, and its row tells what its engines are up to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lodger.model.coverage import ANY_QUEUE, is_crash_looping
from lodger.placement.launch import Placement
from tests.supervisor.app import alpha, beta, patient
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until


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
    os.kill(bench.supervisor.engines[0].describe()["pid"], signal.SIGKILL)
    wait_until(lambda: (one := bench.seen()) and one.engines[0].number == 2 and one.jobs, 30, "the second engine")
    (left,) = bench.put(("default", beta.name))
    bench.wait_done(*bench.put(("default", alpha.name)))
    assert bench.status(left) == "QUEUED"


def test_an_app_that_does_not_start_is_told_as_crash_looping(bench: Bench) -> None:
    """With its error, and while no engine lives, too. Fails without the engines that wait for their restart.

    In a web service: a separate worker that can never work ends.
    """
    bench.start(app="tests.supervisor.app:missing")
    seen = wait_until(lambda: (one := bench.seen()) and is_crash_looping(one) and one, 30, "a crash loop")
    assert "missing" in (seen.engines[0].error or "")
    assert not seen.jobs


def test_leaving_is_told_at_once(bench: Bench, tmp_path: Path) -> None:
    """While it drains, not with the next beat: how long others wait before they take over is counted from then.

    Fails without the beat at the begin of `WindingDown.run`.
    """
    flag = tmp_path / "flag"
    bench.start("separate", beat_seconds=25, dead_after_seconds=60, grace_seconds=30)
    bench.wait_ready()
    held = bench.lodger.by_name(patient.name).enqueue(str(flag))
    wait_until(lambda: bench.status(held.id) == "RUNNING", 30, "a run to wait for")
    bench.supervisor.request_stop()
    seen = wait_until(lambda: (one := bench.seen()) and one.stopping_seconds is not None and one, 5, "its last word")
    assert seen.is_live
    flag.touch()
    bench.wait_done(held.id)

"""A worker that ends: it keeps the fence, forgets no engine that died, and leaves no row that nobody beats."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

from lodger.processes.table import processes
from lodger.store import workers
from lodger.supervisor import burial
from lodger.supervisor.engines import EngineHandle
from tests.supervisor.app import alpha, patient
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What the supervisor remembers is not the database's."""
LATE = 60
"""So long nobody is found silent here."""


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """What the patient jobs wait for."""
    return tmp_path / "flag"


def hold(bench: Bench, flag: Path, count: int = 1) -> list[str]:
    """Give each of the engines a run that goes on until the flag is there."""
    held = [bench.lodger.by_name(patient.name).enqueue(str(flag)).id for _ in range(count)]
    bench.wait_status("RUNNING", *held)
    wait_until(lambda: active(bench) == count, 30, "every engine to have one")
    return held


def active(bench: Bench) -> int:
    """How many engines run one thing."""
    return sum(engine.describe()["active"] == 1 for engine in bench.supervisor.engines)


def kill(engine: EngineHandle) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)


def has_ended(pid: int) -> bool:
    """Whether it is dead, though nobody may have asked how it ended."""
    process = processes().get(pid)
    return process is None or process.is_zombie


def outcomes(bench: Bench, run: str) -> list[str]:
    return [str(one.outcome) for one in bench.lodger.attempts(run)]


def states(bench: Bench) -> list[str]:
    """What the worker's row says of its engines."""
    seen = bench.seen()
    return [one.state for one in seen.engines] if seen is not None else []


def is_left(bench: Bench) -> bool:
    """Whether the worker's row says that it is gone."""
    seen = bench.seen()
    return seen is not None and not seen.is_live


# the fence


@pytest.mark.parametrize("way", ["retire", "request_stop"])
def test_runs_are_given_up_when_no_beat_is_confirmed(
    bench: Bench, flag: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Others would run them again, beside ours. Fails without `_keep_the_fence`."""

    def refuse(*_: Any, **__: Any) -> bool:
        raise OSError("refused")

    bench.start(grace_seconds=60)
    bench.wait_ready()
    (held,) = hold(bench, flag)
    (engine,) = bench.supervisor.engines
    monkeypatch.setattr(workers, "beat", refuse)
    getattr(bench.supervisor, way)()
    wait_until(lambda: engine.death() is not None, 10, "the engine to be ended")
    wait_until(lambda: bench.supervisor.is_over, 10, "the worker to leave")
    assert (bench.status(held), outcomes(bench, held)) == ("QUEUED", ["INTERRUPTED"])


@ON_SQLITE
@pytest.mark.parametrize("way", ["", "retire"])
@pytest.mark.parametrize("answers", [False, True], ids=["refused", "answered"])
def test_runs_are_given_up_though_the_supervisor_hangs_in_a_beat(
    bench: Bench, flag: Path, monkeypatch: pytest.MonkeyPatch, answers: bool, way: str
) -> None:
    """A database that neither answers nor refuses, for a minute. Nobody is blamed, also when it answers at last.

    Fails without the look of the last resort, and (CRASHED) when a death is not taken for its work.
    """
    beat = workers.beat
    bench.start(grace_seconds=60)
    bench.wait_ready()
    (held,) = hold(bench, flag)
    (engine,) = bench.supervisor.engines
    assert engine.pid is not None
    answer = threading.Event()

    def hang(*args: Any, **options: Any) -> bool:
        answer.wait()
        if not answers:
            raise OSError("no answer")
        return beat(*args, **options)

    with monkeypatch.context() as network:
        network.setattr(workers, "beat", hang)
        if way:
            bench.supervisor.retire()
        wait_until(lambda: has_ended(engine.pid), 10, "the engine to be ended")
        answer.set()
        flag.touch()
    wait_until(lambda: outcomes(bench, held), 20, "somebody to free the run")
    assert outcomes(bench, held)[0] in {"INTERRUPTED", "LOST"}


def test_a_retiring_worker_keeps_its_runs_while_it_beats(bench: Bench, flag: Path) -> None:
    """However long they take. Fails when a beat at the end confirms nothing."""
    bench.start(grace_seconds=0)
    bench.wait_ready()
    (held,) = hold(bench, flag)
    bench.supervisor.retire()
    bench.wait_beats(20)  # twice as long as it may be silent
    assert bench.status(held) == "RUNNING"
    flag.touch()
    bench.wait_done(held)
    assert bench.lodger.get_run(held).attempt == 1


# engines that died


@pytest.fixture(params=["not freed", "not seen"])
def unburied(bench: Bench, flag: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A run of an engine that has just died; its supervisor has not come to free it, or not even to look."""
    free_engine = burial.free_engine

    def free(*given: Any, **more: Any) -> Any:
        if not bench.supervisor._wishes.is_ending:
            raise OSError("refused")
        return free_engine(*given, **more)

    bench.start(dead_after_seconds=LATE)
    bench.wait_ready()
    (held,) = hold(bench, flag)
    (engine,) = bench.supervisor.engines
    monkeypatch.setattr(burial, "free_engine", free)
    if request.param == "not seen":
        monkeypatch.setattr(bench.supervisor, "_bury_the_dead", lambda: None)
        kill(engine)
        assert wait([engine.end], 10), "it lives"
    else:
        kill(engine)
        wait_until(lambda: engine not in bench.supervisor.engines, 10, "the death to be seen")
    return held


@ON_SQLITE
def test_what_just_died_is_buried_before_the_engines_are_left(
    bench: Bench, unburied: str, orders: Callable[[], dict[str, Any]]
) -> None:
    """As a crash, and as nothing is left that beats, the row is left.

    Fails when the handing over returns without a burial or without leaving, and (not seen) when nobody looks before it.
    """
    bench.supervisor.hand_over(orders())
    wait_until(lambda: bench.status(unburied) == "QUEUED", 10, "the run to be freed")
    assert outcomes(bench, unburied) == ["CRASHED"]
    wait_until(lambda: bench.supervisor.is_over, 10, "the worker to end")
    assert is_left(bench)


@ON_SQLITE
def test_a_row_that_no_engine_goes_on_with_is_left(bench: Bench, orders: Callable[[], dict[str, Any]]) -> None:
    """The engine has not started yet. Fails when the handing over of nothing returns without leaving."""
    bench.start(dead_after_seconds=LATE)
    wait_until(lambda: bench.supervisor.engines, 10, "an engine")
    assert not bench.supervisor.engines[0].ready
    bench.supervisor.hand_over(orders())
    wait_until(lambda: bench.supervisor.is_over, 10, "the worker to end")
    assert is_left(bench)


def test_of_two_engines_left_alone_one_misses_the_other(
    bench: Bench, flag: Path, orders: Callable[[], dict[str, Any]]
) -> None:
    """They share a row, which the living one beats. The last one to end leaves it.

    Fails when the dead one's runs are freed by nobody, and when its end is noticed with the next beat only.
    """
    bench.start(engine_runs=1, beat_seconds=20, dead_after_seconds=LATE)
    bench.wait_ready()
    (first,) = hold(bench, flag)
    bench.wait_done(*bench.put(("default", alpha.name)))
    wait_until(lambda: [one.ready for one in bench.supervisor.engines] == [True, True], 30, "its successor")
    second = bench.lodger.by_name(patient.name).enqueue(str(flag)).id
    bench.wait_status("RUNNING", second)
    replaced, successor = bench.supervisor.engines
    bench.supervisor.hand_over(orders())
    wait_until(lambda: bench.supervisor.is_over, 10, "the supervisor to be gone")
    wait_until(lambda: states(bench) == ["ending"], 10, "the first beat")
    kill(replaced)
    wait_until(lambda: bench.status(first) == "QUEUED", 10, "the dead one's run to be freed")
    assert (outcomes(bench, first), bench.lodger.get_run(first).attempt) == (["LOST"], 0)
    assert bench.status(second) == "RUNNING"
    flag.touch()
    bench.wait_done(second)
    wait_until(lambda: is_left(bench), 10, "the row to be left")
    wait_until(lambda: replaced.death() and successor.death(), 10, "both to be gone")


@pytest.fixture
def orders() -> Callable[[], dict[str, Any]]:
    """What an engine that goes on alone is told: the server lives as long as the test does."""
    return lambda: {"directory": "", "key": "", "server": os.getpid()}


def test_a_crash_in_a_drain_does_not_wait_for_the_other_engines(bench: Bench, flag: Path) -> None:
    """Its run is free at once, and nobody is blamed: it was being stopped.

    Fails when the dead are not buried in a drain.
    """
    bench.start("separate", processes=2, concurrency=1, grace_seconds=LATE, dead_after_seconds=LATE)
    bench.wait_ready()
    held = hold(bench, flag, 2)
    bench.supervisor.request_stop()
    kill(bench.supervisor.engines[0])
    wait_until(lambda: sorted(map(bench.status, held)) == ["QUEUED", "RUNNING"], 5, "one run to be freed")
    freed, other = sorted(held, key=bench.status)
    assert outcomes(bench, freed) == ["INTERRUPTED"]
    assert bench.lodger.get_run(freed).attempt == 0
    assert not bench.supervisor.is_over
    flag.touch()
    bench.wait_done(other)
    wait_until(lambda: bench.supervisor.is_over, 10, "the worker to leave")
    assert is_left(bench)

"""Engines are replaced after so many runs or so much memory, between runs; over the hard ceiling the largest dies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lodger import Retry
from lodger.model.coverage import is_crash_looping
from lodger.store import workers
from tests.supervisor.app import (
    alpha,
    beta,
    eat_in_engine,
    eat_in_process,
    eat_in_programs,
    keep,
    patient,
    share_memory,
)
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""Memory is not the database's."""
ONCE = Retry(max_attempts=1)


@pytest.fixture
def flag(tmp_path: Path) -> str:
    """What the jobs wait for."""
    return str(tmp_path / "flag")


def put(bench: Bench, job: Any, *args: Any) -> str:
    """Enqueue a run that is tried once."""
    return str(bench.lodger.by_name(job.name).using(retry=ONCE).enqueue(*args).id)


def numbers(bench: Bench) -> list[int]:
    return [engine.number for engine in bench.supervisor.engines]


def wait_number(bench: Bench, number: int) -> None:
    wait_until(
        lambda: [one.number for one in bench.supervisor.engines if one.ready] == numbers(bench) == [number],
        30,
        f"engine {number}, ready and alone",
    )


def crash_text(bench: Bench, run: str) -> str:
    """How the only attempt of a run crashed."""
    bench.wait_status("FAILED", run)
    (attempt,) = bench.lodger.attempts(run)
    assert attempt.outcome == "CRASHED"
    assert attempt.error is not None
    return str(attempt.error.message)


def wait_eaten(bench: Bench, flag: str) -> None:
    """Wait until a job has its memory, and the supervisor has looked at it."""
    wait_until(Path(flag + "-eaten").exists, 60, "a job to have eaten")
    bench.wait_beats(10)


# Replacing


def test_an_engine_is_replaced_after_its_runs(bench: Bench) -> None:
    """Again and again, and it is no crash: nobody is blamed, the next one starts at once.

    Fails without the look at `engine_runs`, and when the end of a replaced engine is noted as a death.
    """
    bench.start(engine_runs=3)
    worker = bench.wait_ready().id
    done: list[str] = []
    for number in (2, 3):
        done += [put(bench, alpha) for _ in range(3)]
        bench.wait_done(*done)
        wait_number(bench, number)
    seen = bench.wait_ready()
    assert (seen.id, seen.engines[0].deaths) == (worker, 0)
    assert not is_crash_looping(seen)
    assert {bench.lodger.get_run(one).attempt for one in done} == {1}


@ON_SQLITE
def test_its_successor_does_not_wait_for_its_last_run(bench: Bench, flag: str) -> None:
    """The long run goes on undisturbed, beside those of the new engine; there is no third meanwhile.

    Fails when a replaced engine counts as one in service, when it is drained instead of retired, and when engines that
    were replaced are passed over, not waited for.
    """
    bench.start(engine_runs=2, grace_seconds=0)
    bench.wait_ready()
    held = put(bench, patient, flag)
    bench.wait_status("RUNNING", held)
    bench.wait_done(put(bench, alpha), put(bench, alpha))
    wait_until(lambda: numbers(bench) == [1, 2] and bench.supervisor.engines[1].ready, 30, "the second engine")
    for _ in range(2):
        bench.wait_done(put(bench, alpha), put(bench, alpha))
        bench.wait_beats(6)
    assert numbers(bench) == [1, 2]
    assert bench.status(held) == "RUNNING"
    Path(flag).touch()
    bench.wait_done(held)
    wait_number(bench, 3)
    assert bench.lodger.get_run(held).attempt == 1


@ON_SQLITE
def test_a_worker_that_starts_anew_replaces_engines_as_before(bench: Bench, flag: str) -> None:
    """It was declared dead while a replaced engine still had a run, and ended that with all others.

    Fails when an engine that was replaced is waited for though it is not there any more.
    """
    bench.start(engine_runs=2)
    first = bench.wait_ready().id
    bench.wait_status("RUNNING", put(bench, patient, flag))
    bench.wait_done(put(bench, alpha), put(bench, alpha))
    wait_until(lambda: numbers(bench) == [1, 2], 30, "the second engine")
    with bench.database.connect() as conn:
        workers.leave(conn, first)
    wait_number(bench, 3)
    assert bench.supervisor.worker_id != first
    Path(flag).touch()
    bench.wait_done(put(bench, alpha), put(bench, alpha), put(bench, alpha))
    wait_number(bench, 4)


@ON_SQLITE
def test_an_engine_is_replaced_when_its_process_has_grown(bench: Bench, flag: str) -> None:
    """And not for what its job processes have, which end without it.

    Fails without the look at `engine_soft_mb`, and when it is compared with the whole tree.
    """
    bench.start(engine_soft_mb=250)
    bench.wait_ready()
    held = put(bench, eat_in_process, 300, flag)
    bench.wait_done(put(bench, alpha))
    wait_eaten(bench, flag)
    assert numbers(bench) == [1]
    Path(flag).touch()
    bench.wait_done(held, put(bench, keep, 250))
    wait_number(bench, 2)
    bench.wait_done(put(bench, alpha))


@ON_SQLITE
def test_an_app_over_the_soft_limit_is_not_replaced_before_it_has_run_something(bench: Bench) -> None:
    """A fresh engine would be over it, too, and for ever. Fails without the look at `ended`."""
    bench.start(engine_soft_mb=1)
    bench.wait_ready()
    bench.wait_beats(8)
    assert numbers(bench) == [1]
    bench.wait_done(put(bench, alpha))
    wait_number(bench, 2)


# Killing


def test_a_job_process_is_killed_over_the_ceiling_of_all(bench: Bench, flag: str) -> None:
    """Its run is told by how much; the engine and the run beside it live.

    Fails without the look at `worker_hard_mb`, when the supervisor kills it without a word to its engine, and when
    the engine goes instead.
    """
    bench.start(worker_hard_mb=500, memory_mb=10_000, process_slots=3)
    bench.wait_ready()
    small = put(bench, eat_in_process, 1, flag)
    bench.wait_status("RUNNING", small)
    large = put(bench, eat_in_process, 500, flag)
    told = r"its process died: killed at [45]\d\d MB: its worker had [56]\d\d MB, over its memory ceiling of 500 MB"
    assert re.match(told, crash_text(bench, large))
    Path(flag).touch()
    bench.wait_done(small, put(bench, alpha))
    assert numbers(bench) == [1]


@ON_SQLITE
def test_what_a_job_has_started_is_its_own(bench: Bench, flag: str, tmp_path: Path) -> None:
    """Two programs that are small alone, in sessions of their own, and beside them an engine that is larger than each.

    Fails when the largest process is looked for, not the largest share, and when only the group is killed.
    """
    bench.start(worker_hard_mb=500, memory_mb=10_000)
    bench.wait_ready()
    bench.wait_done(put(bench, keep, 150))
    run = put(bench, eat_in_programs, 130, flag, 3)
    assert crash_text(bench, run).startswith("its process died: killed at ")
    wait_until(lambda: not eaters(), 10, "its programs to be gone")
    assert numbers(bench) == [1]


@ON_SQLITE
def test_an_engine_is_killed_over_the_ceiling(bench: Bench, flag: str) -> None:
    """When it is the largest. Fails when the reason is not added to how it ended."""
    bench.start(worker_hard_mb=400)
    bench.wait_ready()
    told = "its process died: signal SIGKILL, killed at 4.* over its memory ceiling of 400 MB"
    assert re.match(told, crash_text(bench, put(bench, eat_in_engine, 400, flag)))
    bench.wait_done(put(bench, alpha), put(bench, beta))


@ON_SQLITE
def test_shared_memory_is_counted_once(bench: Bench, flag: str) -> None:
    """Six forks that share 150 MB. Fails when resident memory decides."""
    bench.start(worker_hard_mb=600, memory_mb=10_000)
    bench.wait_ready()
    run = put(bench, share_memory, 150, 5, flag)
    wait_eaten(bench, flag)
    assert bench.status(run) == "RUNNING"
    Path(flag).touch()
    bench.wait_done(run)


@ON_SQLITE
def test_a_deaf_engine_does_not_save_its_job(bench: Bench, flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine was told in vain the supervisor does. Fails without `again`."""
    bench.start(worker_hard_mb=400, memory_mb=10_000)
    bench.wait_ready()
    monkeypatch.setattr(type(bench.supervisor.engines[0]), "kill_job", lambda *_: None)
    text = crash_text(bench, put(bench, eat_in_process, 400, flag))
    assert text.startswith("its process died: signal SIGKILL, 4")
    assert numbers(bench) == [1]


def eaters() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"import time; kept = b'1' * (130 " in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found

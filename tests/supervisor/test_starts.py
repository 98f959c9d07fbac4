"""Engines that can't be started: the worker lives on, tries again with pauses, and loses nothing by each try."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lodger.model.coverage import EngineState, SeenWorker, is_crash_looping
from lodger.supervisor import limits
from tests.supervisor.test_yield import Bench
from tests.support.wait import wait_until


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    runtime = Path(tempfile.mkdtemp(prefix="lodger-"))  # pytest's own paths are too long for a socket
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(runtime))
    made = Bench(database_url)
    yield made
    made.close()
    shutil.rmtree(runtime, ignore_errors=True)


def test_a_worker_beats_though_it_can_start_no_engine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row tells of the crash loop; no recorder is left of the tries.

    Fails when what a start raises ends the turn (no beat, no pause), and with recorders left open.
    """
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        bench.start("separate")
        first = wait_until(lambda: looping(bench), 30, "a crash loop")
        last = wait_until(lambda: (seen := looping(bench)) and seen.beat_at > first.beat_at and seen, 5, "another beat")
        assert last.id == first.id
        assert last.engines[0].number <= 5, "no pause"
        assert "/nowhere/python" in (last.engines[0].error or "")
        assert recorders() == []
    bench.wait_ready()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are processes, not databases
def test_while_the_next_engine_starts_the_row_tells_what_the_last_one_died_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fails when only an engine that is missing has an error: doctor had none to tell, most of the time."""
    monkeypatch.setenv("TEST_BROKEN_ONCE", str(tmp_path / "mark"))
    bench.start("separate", app="tests.worker.broken_once:lodger")

    def starting() -> EngineState | None:
        seen = bench.seen()
        engines = seen.engines if seen else ()
        return next((one for one in engines if one.state == "starting" and one.deaths), None)

    engine = wait_until(starting, 30, "the next engine")
    assert "OSError: broken (" in (engine.error or "")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are processes, not databases
def test_an_engine_whose_start_does_not_end_is_followed_by_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it waited for may be there by then. Fails when it is waited for, for ever; also where it is to retire."""
    monkeypatch.setattr(limits, "IMPORT_SECONDS", 1.0)
    bench.start("separate", app="tests.worker.hanging:lodger")
    wait_until(lambda: [one.number for one in bench.supervisor.engines] == [2], 30, "the second engine")
    assert "it was not ready in 1 s" in caplog.text
    bench.supervisor.retire()
    assert bench.supervisor.join(30)


def looping(bench: Bench) -> SeenWorker | None:
    seen = bench.seen()
    return seen if seen is not None and is_crash_looping(seen) else None


def recorders() -> list[str]:
    """The flight recorders that this process has open."""
    found = []
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own is closed again
            found.append(str(file.readlink()))
    return [name for name in found if "lodger-flight" in name]

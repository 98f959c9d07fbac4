"""A retired engine claims nothing more, ends its runs undisturbed, and goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodger.placement.launch import Placement
from lodger.supervisor.engines import EngineHandle
from tests.supervisor.app import alpha, patient
from tests.supervisor.bench import Bench


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """What the patient job waits for."""
    return tmp_path / "flag"


def retire_busy(bench: Bench, flag: Path, placement: Placement, **settings: object) -> tuple[EngineHandle, str]:
    """Start a worker, give it a run that waits for the flag, retire its engine."""
    bench.start(placement, **settings)
    bench.wait_ready()
    held = bench.lodger.by_name(patient.name).enqueue(str(flag)).id
    bench.wait_status("RUNNING", held)
    engine = bench.supervisor.engines[0]
    engine.retire()
    return engine, held


@pytest.mark.parametrize("placement", ["child", "thread"])
def test_runs_go_on_and_nothing_new_begins(bench: Bench, flag: Path, placement: Placement) -> None:
    """The grace does not bound it, and it ends by itself: then another takes over.

    Fails when `retire` is a drain, without its guard in `_may_claim`, and without the one in `_is_over`.
    """
    engine, held = retire_busy(bench, flag, placement, grace_seconds=0)
    late = bench.lodger.by_name(alpha.name).using(delay=0.5).enqueue().id
    bench.wait_status("QUEUED", late)
    bench.wait_beats(3)
    assert (bench.status(held), bench.status(late)) == ("RUNNING", "QUEUED")
    assert engine.death() is None
    flag.touch()
    bench.wait_done(held, late)
    assert bench.lodger.get_run(held).attempt == 1
    assert bench.supervisor.engines[0].number == 2


@pytest.mark.parametrize("placement", ["child", "thread"])
def test_a_drain_bounds_it_by_the_grace(bench: Bench, flag: Path, placement: Placement) -> None:
    """Fails when a retired engine hears no drain."""
    engine, held = retire_busy(bench, flag, placement, grace_seconds=0.2)
    bench.supervisor.stop()
    assert engine.death() is not None
    assert bench.status(held) == "QUEUED"
    assert [one.outcome for one in bench.lodger.attempts(held)] == ["INTERRUPTED"]

"""How many runs a worker executes at once when nothing is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodger.placement.launch import Placement
from tests.supervisor.app import patient
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until


@pytest.mark.parametrize(("placement", "size"), [("child", 5), ("thread", 3)])
def test_a_guest_runs_few_at_once(bench: Bench, tmp_path: Path, placement: Placement, size: int) -> None:
    """Fails when the engine is told the settings as they were read, not as they fit."""
    flag = tmp_path / "flag"
    bench.start(placement)
    runs = [bench.lodger.by_name(patient.name).enqueue(str(flag)).id for _ in range(size + 3)]

    def running() -> int:
        return sum(bench.status(one) == "RUNNING" for one in runs)

    wait_until(lambda: running() >= size, 30, f"{size} runs at once")
    bench.wait_beats(3)
    assert running() == size
    flag.touch()
    bench.wait_done(*runs)

"""Deploys that kill everything, one after the other: what ran is not blamed for them.

What is blamed, and fails after three times, is a run whose process it takes down itself: see test_hostile.

Shown to fail with LOST counted as an attempt, and with it counted as a crash.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet

DEPLOYS = 3


@pytest.mark.parametrize("job", [app.patient_on_loop, app.patient, app.patient_in_process], ids=lambda job: job.name)
def test_three_deploys_with_kill_9_fail_no_run(job: Any, fleet: Fleet, desk: Desk) -> None:
    gate = fleet.directory / "gate"
    run = desk.one(job.call(str(gate)))
    for number in range(DEPLOYS):
        worker = fleet.start()
        desk.wait_start(run, fence=2 * number + 1)
        worker.kill()
    fleet.start()
    desk.wait_start(run, fence=2 * DEPLOYS + 1)
    gate.touch()
    desk.wait_status(run, "SUCCEEDED", 20)
    assert [one.outcome for one in desk.lodger.attempts(run.id)] == ["LOST"] * DEPLOYS + ["SUCCEEDED"]
    record = desk.lodger.get_run(run.id)
    assert (record.attempt, record.crashes, record.lost) == (1, 0, DEPLOYS)
    desk.check()

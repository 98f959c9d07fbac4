"""Slots: who may begin, who waits, who inherits a slot; and how far ahead an engine claims."""

from __future__ import annotations

from typing import Any

import pytest

from lodger import Lodger
from lodger.model.ids import new_id
from lodger.model.run import ClaimedRun
from lodger.worker.attempt.live import LiveRun
from lodger.worker.pace import MAX_AHEAD, Pace
from lodger.worker.slots import MAX_STALE, Lane, Slots

lodger = Lodger()


@lodger.job()
def here() -> None:
    """Run in a thread."""


@lodger.job(executor="process")
def apart() -> None:
    """Run in a process of its own."""


def live(job: str = "here", **fields: Any) -> LiveRun:
    values: dict[str, Any] = dict.fromkeys(ClaimedRun._fields, 0)
    values |= {"id": new_id(), "job": job, "fence": 1, "options": None, "meta": None, **fields}
    return LiveRun(ClaimedRun(**values), lodger.registry.jobs[job])


def test_what_has_no_slot_waits_and_inherits_in_order() -> None:
    slots = Slots(lodger.registry, concurrency=2, process_slots=1)
    runs = [live() for _ in range(4)]
    assert [slots.add(run) for run in runs] == [True, True, False, False]
    assert slots.waiting() == runs[2:]
    assert slots.remove(runs[0]) == (True, runs[2])
    assert slots.remove(runs[0]) == (False, None), "a run ends once"
    assert slots.remove(runs[2]) == (True, runs[3])
    assert slots.remove(runs[1]) == (True, None)
    assert slots.remove(runs[3]) == (True, None)
    assert slots.active == {}


def test_only_what_has_not_begun_can_be_withdrawn() -> None:
    """Fails without the look at `begun`: a running run would be given away."""
    slots = Slots(lodger.registry, concurrency=1, process_slots=1)
    first, second = live(), live()
    slots.add(first)
    slots.add(second)
    assert not slots.withdraw(first)
    assert slots.withdraw(second)
    assert not slots.withdraw(second)
    assert slots.remove(first) == (True, None)


def test_lanes_count_what_waits_and_keep_the_limit_of_processes() -> None:
    slots = Slots(lodger.registry, concurrency=3, process_slots=2)
    assert slots.lanes() == [Lane(("here",), 3), Lane(("apart",), 2)]
    slots.add(live("apart"))
    assert slots.lanes(ahead=5) == [Lane(("here",), 7), Lane(("apart",), 1)]
    slots.add(live("apart"))
    assert slots.processes_full
    assert slots.lanes(ahead=5) == [Lane(("here",), 6)]
    for _ in range(6):
        slots.add(live())
    assert slots.lanes(ahead=5) == []


def test_the_time_of_a_run_that_waits_has_not_begun() -> None:
    slots = Slots(lodger.registry, concurrency=1, process_slots=1)
    first, second = live(), live(options='{"timeout": 60}')
    slots.add(first)
    slots.add(second)
    assert slots.patience() is None
    slots.remove(first)
    patience = slots.patience()
    assert patience is not None
    assert 59 < patience <= 60


def test_an_engine_claims_as_far_ahead_as_it_finishes_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace()
    assert pace.ahead() == 0
    for _ in range(20):
        now += 0.01
        pace.note(20)
    assert pace.ahead() == 99, "2000 a second, for 50 ms"
    for _ in range(20):
        now += 0.01
        pace.note(1000)
    assert pace.ahead() == MAX_AHEAD
    now += 1
    assert pace.ahead() == 0, "nothing has ended for a while: what runs takes long"
    pace.note(1)
    assert pace.ahead() == 0, "what was long ago says nothing"


def test_deadlines_of_ended_runs_do_not_pile_up() -> None:
    """Red when they are kept until their time has come: an hour's worth of runs with a timeout of an hour."""
    slots = Slots(lodger.registry, concurrency=10, process_slots=1)
    for _ in range(5 * MAX_STALE):
        run = live(options='{"timeout": 3600}')
        slots.add(run)
        slots.remove(run)
    assert len(slots._deadlines) <= MAX_STALE + 1


def test_a_run_is_told_of_once_for_each_deadline() -> None:
    slots = Slots(lodger.registry, concurrency=2, process_slots=1)
    run, gone = live(), live()
    for one in (run, gone):
        slots.add(one)
        slots.remind(one, 0)
    slots.remove(gone)
    assert slots.overdue() == [run]
    assert slots.overdue() == []
    slots.remind(run, 0)
    assert slots.overdue() == [run]

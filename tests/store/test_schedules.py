"""Schedules by id: stored, changed in place, paused, resumed, run by hand, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lodger.errors import ScheduleDeclared, ScheduleNotFound, UniqueConflict
from lodger.model.ids import new_id
from lodger.model.outcome import Returned
from lodger.model.schedule import fire_id
from lodger.model.timetable import Cron, Every
from lodger.model.unique import Unique
from lodger.store import schedules as operations
from lodger.store.database import Conn
from tests.support.schedules import PERIOD, SLOWLY, Schedules, spec
from tests.support.store import Store, new_run, race


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


def act(schedules: Schedules, operation: Callable[[Conn, str], object], schedule: str = "s") -> object:
    return schedules.database.transact(lambda conn: operation(conn, schedule))


def run_now(conn: Conn, schedule: str) -> object:
    return operations.run_now(conn, schedule, new_id())


def test_what_is_stored_is_read(schedules: Schedules) -> None:
    berlin = Cron("0 3 * * *", timezone="Europe/Berlin")
    schedules.put(spec("b", berlin, overlap="skip", misfire="all", jitter_seconds=1.5), spec("a"))
    with schedules.database.connect() as conn:
        one, other = operations.listing(conn)
    assert [one.id, other.id] == ["a", "b"]
    assert (other.timetable, other.overlap, other.misfire, other.jitter_seconds) == (berlin, "skip", "all", 1.5)
    assert (other.origin, other.job, other.queue, other.state) == ("stored", "j", "default", "active")
    assert other.next_at == berlin.next_after(schedules.now())
    assert (other.last_at, other.last_run_id, other.fired, other.skipped, other.missed_at) == (None, None, 0, 0, None)
    assert other.created_at is not None
    assert other == schedules.get("b")


def test_a_schedule_that_is_not_there(schedules: Schedules) -> None:
    for operation in (operations.get, operations.pause, operations.resume, run_now, operations.delete):
        with pytest.raises(ScheduleNotFound) as caught:
            act(schedules, operation, "none")
        assert caught.value.schedule_id == "none"


def test_storing_again_changes_in_place(schedules: Schedules, store: Store) -> None:
    """Pause, last fire and counts stay."""
    schedules.put(spec())
    instant = schedules.back()
    schedules.fire_due()
    act(schedules, operations.pause)
    schedules.put(spec(timetable=Every(days=200), run=new_run(queue="q")))
    after = schedules.get()
    assert (after.timetable, after.queue) == (Every(days=200), "q")
    assert (after.last_at, after.last_run_id, after.fired) == (instant, fire_id("s", instant), 1)
    assert after.state == "paused"
    assert schedules.due() == []


def test_storing_the_same_again_changes_nothing(schedules: Schedules) -> None:
    schedules.put(spec())
    schedules.back()
    (due,) = schedules.due()
    schedules.put(spec())
    assert schedules.fire(due) is not None


def test_a_change_of_options_alone_does_not_lose_the_instant_that_is_due(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    instant = schedules.back()
    schedules.put(spec(overlap="skip"))
    schedules.fire_due()
    assert store.ids() == [fire_id("s", instant)]


def test_under_a_new_timetable_it_goes_on_from_now(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    schedules.back()
    schedules.put(spec(timetable=Every(days=200)))
    assert schedules.due() == []
    assert schedules.get().next_at == Every(days=200).next_after(schedules.now())


def test_a_daemon_that_read_the_row_before_a_change_fires_nothing(schedules: Schedules, store: Store) -> None:
    """Shown to fail: without `version = version + 1` in `pause_schedule`, `update_schedule`."""
    schedules.put(spec())
    schedules.back()
    (due,) = schedules.due()
    act(schedules, operations.pause)
    assert schedules.fire(due) is None
    act(schedules, operations.resume)
    schedules.back()
    (due,) = schedules.due()
    schedules.put(spec(timetable=Every(days=200)))
    assert schedules.fire(due) is None
    (due,) = [*schedules.due()] or [due]
    act(schedules, operations.delete)
    assert schedules.fire(due) is None
    assert store.ids() == []


def test_paused_it_does_not_fire_and_resumed_it_makes_up_for_nothing(schedules: Schedules) -> None:
    schedules.put(spec(misfire="all"))
    schedules.back(by=5 * PERIOD)
    act(schedules, operations.pause)
    first = schedules.get().paused_at
    act(schedules, operations.pause)
    assert schedules.get().paused_at == first
    assert schedules.due() == []
    act(schedules, operations.resume)
    act(schedules, operations.resume)
    assert schedules.due() == []
    after = schedules.get()
    assert (after.paused_at, after.state, after.next_at) == (None, "active", SLOWLY.next_after(schedules.now()))


def test_run_now_makes_a_run_beside_the_timetable(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(run=new_run(args='{"a":1}', queue="q")))
    act(schedules, operations.pause)
    before = schedules.get()
    act(schedules, run_now)
    act(schedules, run_now)
    first, second = (store.get(run) for run in store.ids())
    assert first.id != second.id
    assert (first.args, first.queue, first.status) == ({"a": 1}, "q", "QUEUED")
    assert first.meta["schedule"]["by_hand"] is True
    after = schedules.get()
    assert (after.next_at, after.fired, after.last_at, after.state) == (before.next_at, 0, None, "paused")
    assert after.last_run_id == second.id


def test_the_next_instant_waits_for_a_run_made_by_hand(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(overlap="skip"))
    act(schedules, run_now)
    start = schedules.back(by=9 * PERIOD)
    schedules.fire_at(start)
    store.finish(store.claim_one(store.worker()), Returned(None))
    schedules.fire_at(start + PERIOD)
    assert [outcome for _, outcome in schedules.fires()] == ["OVERLAP", "FIRED"]


def test_run_now_heeds_the_unique_key(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(run=new_run(unique=Unique(key="k", conflict="raise"))))
    act(schedules, run_now)
    with pytest.raises(UniqueConflict):
        act(schedules, run_now)
    assert len(store.ids()) == 1


def test_a_deleted_schedule_leaves_its_runs(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    schedules.back()
    schedules.fire_due()
    act(schedules, operations.delete)
    assert len(store.ids()) == 1
    with pytest.raises(ScheduleNotFound):
        schedules.get()


def test_what_code_declares_is_changed_there(schedules: Schedules, store: Store) -> None:
    schedules.declare(spec(), owner=store.worker())
    with pytest.raises(ScheduleDeclared, match="cannot store schedule s"):
        schedules.put(spec(timetable=Every(days=200)))
    with pytest.raises(ScheduleDeclared, match="cannot delete schedule s"):
        act(schedules, operations.delete)
    assert schedules.get().timetable == SLOWLY


def test_many_who_store_at_once_make_one_schedule(schedules: Schedules) -> None:
    race(8, lambda number: schedules.put(spec(timetable=Every(days=300 + number))))
    with schedules.database.connect() as conn:
        (one,) = operations.listing(conn)
    assert one.timetable in [Every(days=300 + number) for number in range(8)]
    assert one.timetable is not None
    assert one.next_at == one.timetable.next_after(schedules.now())


def test_a_timetable_that_this_host_can_t_read_is_shown_as_an_error(schedules: Schedules) -> None:
    schedules.put(spec(timetable=Cron("0 3 * * *", timezone="Europe/Berlin")))
    schedules.set(timetable='{"cron": "0 3 * * *", "timezone": "Europe/Bonn"}')
    record = schedules.get()
    assert (record.timetable, record.state) == (None, "error")
    assert "Europe/Bonn" in (record.error or "")

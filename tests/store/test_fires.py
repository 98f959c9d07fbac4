"""Firing: each instant once, with its runs in one transaction, under the policies for misfires and overlaps.

Shown to fail: with `AND version = :version` taken out of `take_schedule` (racing daemons; then with `_unfired` taken
out as well the primary key stops them, with an error), with `run_of` making new ids and the fire's primary key gone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from lodger.model.ids import new_id
from lodger.model.outcome import Returned
from lodger.model.schedule import MAX_CATCH_UP, FirePlan, fire_id, jittered
from lodger.model.timetable import Every
from lodger.model.unique import Unique
from lodger.store import fires
from lodger.store import schedules as operations
from lodger.store.database import Conn
from tests.support.schedules import PERIOD, Schedules, spec
from tests.support.store import Store, new_run, race


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


def look(schedules: Schedules) -> fires.Look:
    with schedules.database.connect() as conn:
        return fires.look(conn)


def test_nothing_fires_before_its_time(schedules: Schedules) -> None:
    schedules.put(spec())
    assert schedules.due() == []
    seen = look(schedules)
    assert not seen.is_due
    assert seen.seconds_to_next is not None
    assert 0 < seen.seconds_to_next <= PERIOD.total_seconds()


def test_what_is_due_and_what_comes_next_are_seen_at_once(schedules: Schedules) -> None:
    schedules.put(spec("now"), spec("later"))
    schedules.back("now")
    next_at = schedules.get("later").next_at
    assert next_at is not None
    seen = look(schedules)
    assert seen.is_due
    assert seen.seconds_to_next == pytest.approx((next_at - schedules.now()).total_seconds(), abs=5)


def test_without_schedules_there_is_nothing_to_wait_for(schedules: Schedules) -> None:
    schedules.put(spec())
    schedules.database.transact(lambda conn: operations.pause(conn, "s"))
    assert look(schedules) == fires.Look(is_due=False, seconds_to_next=None)


def test_an_instant_makes_one_run_and_the_next_follows_the_timetable(schedules: Schedules, store: Store) -> None:
    run = new_run(queue="q", args='{"a":1}', claim_rank=-3, tags='["t"]')
    schedules.put(spec(run=run))
    instant = schedules.back()
    (fired,) = schedules.fire_due()
    assert fired is not None
    assert (fired.queued, fired.scheduled, fired.skipped) == (1, 0, 0)
    (made,) = store.ids()
    assert made == fire_id("s", instant)
    record = store.get(made)
    assert (record.status, record.queue, record.args, record.priority, record.tags) == (
        "QUEUED",
        "q",
        {"a": 1},
        3,
        ("t",),
    )
    assert record.meta == {"schedule": {"id": "s", "instant": instant.isoformat(), "by_hand": False}}
    after = schedules.get()
    assert (after.next_at, after.last_at, after.last_run_id, after.fired) == (instant + PERIOD, instant, made, 1)
    assert schedules.fires() == [(instant, "FIRED")]
    assert schedules.due() == []


def test_of_many_daemons_one_fires(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    schedules.back()
    (due,) = schedules.due()
    answers = race(8, lambda _: schedules.fire(due))
    assert len([answer for answer in answers if answer is not None]) == 1
    assert len(store.ids()) == schedules.get().fired == 1


def test_a_daemon_that_read_long_ago_fires_nothing(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    schedules.back()
    (due,) = schedules.due()
    assert schedules.fire(due) is not None
    assert schedules.fire(due) is None
    assert len(store.ids()) == 1


def test_many_at_once_stand_and_fall_together_but_for_those_that_somebody_else_has_touched(
    schedules: Schedules, store: Store
) -> None:
    names = [f"s{number:02}" for number in range(30)]
    holder = store.enqueue(unique=Unique(key="k"))
    runs = {"s03": new_run(unique=Unique(key="k")), "s04": new_run(unique=Unique(key="free"))}
    schedules.put(*[spec(name, misfire="all", run=runs.get(name)) for name in names])
    schedules.put(spec("s05", misfire="all", overlap="skip"))
    for name in names:
        schedules.back(name, 2 * PERIOD)
    due = schedules.due()
    schedules.database.transact(lambda conn: operations.pause(conn, "s01"))
    schedules.fire(next(one for one in due if one.id == "s02"))
    plans = [(one, schedules.plan(one)) for one in due]
    fired = schedules.database.transact(lambda conn: fires.fire(conn, plans, new_id()))
    assert sorted(fired) == [name for name in names if name not in {"s01", "s02"}]
    counts = {name: (schedules.get(name).fired, schedules.get(name).skipped) for name in names}
    odd = {"s01": (0, 0), "s03": (0, 2), "s04": (1, 1), "s05": (1, 1)}
    assert counts == dict.fromkeys(names, (2, 0)) | odd
    assert len(store.ids()) == 1 + sum(count for count, _ in counts.values())
    assert schedules.fires("s03") == [(instant, "UNIQUE") for instant, _ in schedules.fires("s00")]
    assert store.status(holder) == "QUEUED"


def test_a_schedule_that_came_back_from_a_backup_does_not_fire_its_instant_again(
    schedules: Schedules, store: Store
) -> None:
    schedules.put(spec())
    instant = schedules.back()
    schedules.fire_due()
    schedules.set(next_at=instant, due_at=instant, version=0)
    (again,) = schedules.fire_due()
    assert again is not None
    assert (again.queued, again.skipped) == (0, 0)
    assert len(store.ids()) == schedules.get().fired == 1
    assert schedules.get().next_at == instant + PERIOD


def test_deleted_and_made_anew_it_does_not_fire_its_instant_again(schedules: Schedules, store: Store) -> None:
    """By the run's id alone: the fires are gone too."""
    schedules.put(spec())
    instant = schedules.back()
    schedules.fire_due()
    store.change(lambda t: f"DELETE FROM {t.fire}")
    schedules.set(next_at=instant, due_at=instant)
    schedules.fire_due()
    assert store.ids() == [fire_id("s", instant)]


def test_what_fails_on_the_way_leaves_nothing(schedules: Schedules, store: Store) -> None:
    schedules.put(spec())
    instant = schedules.back()
    (due,) = schedules.due()

    def fire_and_fail(conn: Conn) -> None:
        fires.fire(conn, [(due, schedules.plan(due))], new_id())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        schedules.database.transact(fire_and_fail)
    assert store.ids() == []
    assert schedules.fires() == []
    assert schedules.get().next_at == instant
    assert schedules.fire(due) is not None


@pytest.mark.parametrize(
    ("misfire", "late_seconds", "fired", "missed"),
    [("latest", 60, 1, True), ("skip", 366 * 86400, 1, True), ("skip", 1, 0, True), ("all", 60, 6, False)],
)
def test_after_five_periods_without_a_daemon(
    schedules: Schedules, store: Store, misfire: str, late_seconds: float, fired: int, missed: bool
) -> None:
    schedules.put(spec(misfire=misfire))
    first = schedules.back(by=6 * PERIOD)
    (due,) = schedules.due()
    schedules.fire(due, late_seconds)
    newest = first + 5 * PERIOD
    wanted = [first + n * PERIOD for n in range(6)][6 - fired :]
    assert [run["schedule"]["instant"] for run in schedules.runs()] == [at.isoformat() for at in wanted]
    after = schedules.get()
    assert after.next_at == newest + PERIOD
    assert after.fired == fired
    assert (after.missed_at is not None) is missed
    assert after.last_at == (newest if fired else None)


def test_catching_up_has_a_bound(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(timetable=Every(hours=1), misfire="all"))
    schedules.back(by=timedelta(hours=250))
    schedules.fire_due()
    assert len(store.ids()) == MAX_CATCH_UP == 100
    assert schedules.get().missed_at is not None


def test_overlap_skip_waits_for_the_end_of_the_last_run(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(overlap="skip"))
    start = schedules.back(by=9 * PERIOD)
    schedules.fire_at(start)  # QUEUED
    schedules.fire_at(start + PERIOD)
    run = store.claim_one(store.worker())  # RUNNING
    schedules.fire_at(start + 2 * PERIOD)
    store.finish(run, Returned(None))
    schedules.fire_at(start + 3 * PERIOD)
    outcomes = ["FIRED", "OVERLAP", "OVERLAP", "FIRED"]
    assert schedules.fires() == [(start + n * PERIOD, outcome) for n, outcome in enumerate(outcomes)]
    after = schedules.get()
    assert (after.fired, after.skipped) == (2, 2)
    assert (after.last_at, after.last_run_id) == (start + 3 * PERIOD, fire_id("s", start + 3 * PERIOD))


def test_overlap_skip_does_not_wait_for_a_run_that_is_not_there_any_more(schedules: Schedules, store: Store) -> None:
    """Pruned: it has ended long ago."""
    schedules.put(spec(overlap="skip"))
    start = schedules.back(by=9 * PERIOD)
    schedules.fire_at(start)
    store.change(lambda t: f"DELETE FROM {t.run}")
    schedules.fire_at(start + PERIOD)
    assert store.ids() == [fire_id("s", start + PERIOD)]


def test_overlap_allow_does_not(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(misfire="all"))
    schedules.back(by=3 * PERIOD)
    schedules.fire_due()
    assert len(store.ids()) == 3


def test_overlap_skip_holds_within_one_catching_up(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(misfire="all", overlap="skip"))
    first = schedules.back(by=3 * PERIOD)
    schedules.fire_due()
    assert store.ids() == [fire_id("s", first)]
    assert [outcome for _, outcome in schedules.fires()] == ["FIRED", "OVERLAP", "OVERLAP"]
    assert (schedules.get().fired, schedules.get().skipped) == (1, 2)


@pytest.mark.parametrize("conflict", ["return", "raise"])
def test_a_unique_key_that_is_held_leaves_the_instant_out(schedules: Schedules, store: Store, conflict: str) -> None:
    unique = Unique(key="k", conflict=conflict)  # type: ignore[arg-type]
    holder = store.enqueue(unique=Unique(key="k"))
    schedules.put(spec(run=new_run(unique=unique)))
    schedules.back()
    schedules.fire_due()
    assert store.ids() == [holder]
    assert [outcome for _, outcome in schedules.fires()] == ["UNIQUE"]
    assert (schedules.get().fired, schedules.get().skipped, schedules.get().last_run_id) == (0, 1, None)


def test_jitter_delays_the_run_not_the_instant(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(jitter_seconds=86400))
    at = schedules.now()
    fired = schedules.fire_at(at)
    assert fired is not None
    assert (fired.queued, fired.scheduled) == (0, 1)
    (run,) = store.ids()
    made = store.get(run)
    assert made.status == "SCHEDULED"
    assert made.run_at == jittered("s", at, 86400)
    assert made.meta["schedule"]["instant"] == at.isoformat()


def test_jitter_that_has_passed_delays_nothing(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(jitter_seconds=60))
    schedules.fire_at(schedules.now() - PERIOD)
    assert store.status(store.ids()[0]) == "QUEUED"


def test_after_its_last_instant_a_schedule_is_over(schedules: Schedules) -> None:
    schedules.put(spec())
    instant = schedules.back()
    (due,) = schedules.due()
    last = FirePlan(instants=(instant,), next_at=None, missed=False)
    assert schedules.do(due, last) is not None
    assert (schedules.get().next_at, schedules.get().state) == (None, "ended")
    assert schedules.due() == []


def test_a_schedule_that_can_t_be_read_is_put_off_and_told(schedules: Schedules) -> None:
    schedules.put(spec())
    instant = schedules.back()
    (due,) = schedules.due()
    schedules.database.transact(lambda conn: fires.postpone(conn, due, "no such zone", 60))
    assert schedules.due() == []
    assert schedules.get().error == "no such zone"
    assert schedules.get().state == "error"
    assert schedules.get().next_at == instant
    schedules.set(due_at=instant)
    schedules.fire_due()  # another daemon can
    assert schedules.get().error is None


def test_old_fires_are_pruned_in_portions(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(misfire="all"))
    schedules.back(by=5 * PERIOD)
    schedules.fire_due()
    assert schedules.database.transact(lambda conn: fires.prune(conn, 60)) == 0
    store.change(lambda t: f"UPDATE {t.fire} SET fired_at = {t.after(':us')}", us=-3600 * 10**6)
    assert [schedules.database.transact(lambda conn: fires.prune(conn, 60, limit=3)) for _ in range(3)] == [3, 2, 0]

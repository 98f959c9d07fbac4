"""What code declares, by several releases at once: the newest live process has its way.

Shown to fail: with `_may_change` always true (an old worker that starts an engine anew), with the NOT EXISTS of
`flag_schedules` taken out, with `is_declared` taken out of `select_due`.
"""

from __future__ import annotations

import pytest

from lodger.errors import ScheduleNotFound
from lodger.model.timetable import Every
from lodger.store import declarations, schedulers, workers
from lodger.store import schedules as operations
from tests.support.schedules import PERIOD, SLOWLY, Schedules, spec
from tests.support.store import Store, race

GRACE = 60
OTHER = Every(days=200)


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


def flag(schedules: Schedules) -> int:
    """Flag what nobody declares; the schedules are older than the grace."""
    us = -3600 * 10**6
    schedules.store.change(lambda t: f"UPDATE {t.schedule} SET created_at = {t.after(':us')}", us=us)
    return schedules.database.transact(lambda conn: declarations.flag_undeclared(conn, GRACE))


def is_due(schedules: Schedules) -> bool:
    return bool(schedules.due())


def dead(store: Store, worker: str, seconds_ago: float = 3600) -> None:
    """Let a worker have left that long ago."""
    store.silence(worker, seconds_ago)
    store.database.transact(lambda conn: workers.leave(conn, worker))


@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_declared_by_a_live_process_it_fires(schedules: Schedules, store: Store, kind: str) -> None:
    owner = store.worker() if kind == "worker" else schedules.scheduler()
    assert schedules.declare(spec(), owner=owner) == []
    schedules.back()
    assert is_due(schedules)
    assert schedules.get().origin == "code"


@pytest.mark.parametrize("end", ["silent", "left"])
@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_it_fires_no_more_from_the_moment_that_no_live_process_declares_it(
    schedules: Schedules, store: Store, kind: str, end: str
) -> None:
    owner = store.worker() if kind == "worker" else schedules.scheduler()
    schedules.declare(spec(), owner=owner)
    schedules.back()
    if end == "silent":
        store.silence(owner, 61) if kind == "worker" else schedules.silence(owner, 61)
    else:
        leave = workers.leave if kind == "worker" else schedulers.leave
        store.database.transact(lambda conn: leave(conn, owner))
    assert not is_due(schedules)
    assert schedules.get().state == "active"  # not flagged yet: a deploy may be under way
    schedules.declare(spec(), owner=store.worker())
    assert is_due(schedules)


def test_stored_ones_need_nobody(schedules: Schedules) -> None:
    schedules.put(spec())
    schedules.back()
    assert is_due(schedules)
    assert flag(schedules) == 0
    assert schedules.get().state == "active"


def test_flagged_when_nobody_has_declared_it_for_long(schedules: Schedules, store: Store) -> None:
    old, new = store.worker(), store.worker()
    schedules.declare(spec("gone"), spec("kept"), owner=old)
    schedules.declare(spec("kept"), owner=new)
    assert flag(schedules) == 0
    dead(store, old, GRACE - 30)
    assert flag(schedules) == 0
    dead(store, old, GRACE + 30)
    assert flag(schedules) == 1
    assert (schedules.get("gone").state, schedules.get("kept").state) == ("undeclared", "active")
    assert flag(schedules) == 0


def test_declared_again_it_goes_on_from_now(schedules: Schedules, store: Store) -> None:
    schedules.declare(spec(misfire="all"), owner=None)
    schedules.back(by=5 * PERIOD)
    assert flag(schedules) == 1
    schedules.declare(spec(misfire="all"), owner=None)  # a web process alone does not bring it back
    assert schedules.get().state == "undeclared"
    schedules.declare(spec(misfire="all"), owner=store.worker())
    assert schedules.get().state == "active"
    assert schedules.get().next_at == SLOWLY.next_after(schedules.now())
    assert not is_due(schedules)


def test_undeclared_and_paused_are_two_things(schedules: Schedules, store: Store) -> None:
    schedules.declare(spec(), owner=None)
    flag(schedules)
    store.database.transact(lambda conn: operations.pause(conn, "s"))
    store.database.transact(lambda conn: operations.resume(conn, "s"))
    schedules.set(next_at=schedules.now() - PERIOD)
    assert schedules.get().state == "undeclared"
    assert not is_due(schedules)
    store.database.transact(lambda conn: operations.pause(conn, "s"))
    schedules.declare(spec(), owner=store.worker())
    assert schedules.get().state == "paused"
    assert not is_due(schedules)


def test_the_newest_live_process_has_its_way(schedules: Schedules, store: Store) -> None:
    old, new = store.worker(), store.worker()
    store.change(
        lambda t: f"UPDATE {t.worker} SET started_at = {t.after(':us')} WHERE id = :id", id=store.key(old), us=-(10**9)
    )
    schedules.declare(spec(), owner=old)
    schedules.declare(spec(timetable=OTHER), owner=new)
    assert schedules.get().timetable == OTHER
    schedules.declare(spec(), owner=old)  # one of its engines started anew
    schedules.declare(spec(), owner=None)  # a web process
    assert schedules.get().timetable == OTHER
    dead(store, new)
    schedules.declare(spec(), owner=old)
    assert schedules.get().timetable == SLOWLY
    schedules.declare(spec(timetable=OTHER), owner=old)  # what is declared by oneself
    assert schedules.get().timetable == OTHER


def test_a_web_process_makes_them_known(schedules: Schedules) -> None:
    """They are shown, and do not fire: nobody can run them either."""
    schedules.declare(spec(), owner=None)
    schedules.back()
    assert schedules.get().state == "active"
    assert not is_due(schedules)
    schedules.declare(spec(timetable=OTHER), owner=None)
    assert schedules.get().timetable == OTHER


def test_changed_in_place_without_losing_the_pause(schedules: Schedules, store: Store) -> None:
    owner = store.worker()
    schedules.declare(spec(), owner=owner)
    instant = schedules.back()
    schedules.fire_due()
    store.database.transact(lambda conn: operations.pause(conn, "s"))
    schedules.declare(spec(timetable=OTHER), owner=owner)
    after = schedules.get()
    assert (after.timetable, after.state, after.last_at, after.fired) == (OTHER, "paused", instant, 1)


def test_what_was_stored_at_run_time_stays_as_it_is(schedules: Schedules, store: Store) -> None:
    schedules.put(spec(timetable=OTHER))
    assert schedules.declare(spec(), spec("other"), owner=store.worker()) == ["s"]
    assert (schedules.get().origin, schedules.get().timetable) == ("stored", OTHER)
    assert schedules.get("other").origin == "code"


def test_what_an_owner_declares_no_more_is_forgotten(schedules: Schedules, store: Store) -> None:
    owner = store.worker()
    schedules.declare(spec("a"), spec("b"), owner=owner)
    schedules.declare(spec("b"), owner=owner)
    rows = store.rows(lambda t: f"SELECT schedule_id FROM {t.declaration}")
    assert [row[0] for row in rows] == ["b"]


def test_an_undeclared_one_can_be_deleted(schedules: Schedules, store: Store) -> None:
    owner = store.worker()
    schedules.declare(spec(), owner=owner)
    dead(store, owner)
    flag(schedules)
    store.database.transact(lambda conn: operations.delete(conn, "s"))
    with pytest.raises(ScheduleNotFound):
        schedules.get()
    assert store.rows(lambda t: f"SELECT 1 FROM {t.declaration}") == []


def test_declarations_of_the_forgotten_are_pruned(schedules: Schedules, store: Store) -> None:
    worker, scheduler = store.worker(), schedules.scheduler()
    for owner in (worker, scheduler):
        schedules.declare(spec(), owner=owner)
    assert schedules.database.transact(declarations.prune) == 0
    store.change(lambda t: f"DELETE FROM {t.worker}")
    assert schedules.database.transact(declarations.prune) == 1
    store.change(lambda t: f"DELETE FROM {t.scheduler}")
    assert schedules.database.transact(declarations.prune) == 1


def test_many_who_declare_at_once_make_one_schedule(schedules: Schedules, store: Store) -> None:
    owners = [store.worker() for _ in range(8)]
    race(8, lambda number: schedules.declare(spec("a"), spec("b", OTHER), owner=owners[number]))
    assert schedules.get("a").timetable == SLOWLY
    assert schedules.get("b").next_at == OTHER.next_after(schedules.now())
    assert len(store.rows(lambda t: f"SELECT 1 FROM {t.declaration}")) == 16


def test_declaring_the_same_again_writes_nothing(schedules: Schedules, store: Store) -> None:
    owner = store.worker()
    schedules.declare(spec(), owner=owner)
    schedules.back()
    (due,) = schedules.due()
    schedules.declare(spec(), owner=owner)
    assert schedules.fire(due) is not None

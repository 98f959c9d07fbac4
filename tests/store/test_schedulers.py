"""The rows of schedule daemons."""

from __future__ import annotations

import pytest

from lodger.store import schedulers
from tests.support.schedules import Schedules, spec
from tests.support.store import Store


@pytest.fixture
def schedules(store: Store) -> Schedules:
    return Schedules(store)


def listing(schedules: Schedules, *, dead_too: bool = True) -> list[schedulers.SchedulerRecord]:
    with schedules.database.connect() as conn:
        return schedulers.listing(conn, dead_too=dead_too)


def test_a_daemon_from_its_start_to_its_end(schedules: Schedules) -> None:
    made = schedules.scheduler()
    (row,) = listing(schedules)
    assert (row.id, row.environment, row.release, row.placement, row.host, row.pid) == (
        made,
        "e",
        "r",
        "separate",
        "h",
        1,
    )
    assert (row.is_live, row.last_fire_at, row.dead_at) == (True, None, None)
    assert schedules.database.transact(lambda conn: schedulers.beat(conn, made, fired=False))
    assert listing(schedules)[0].last_fire_at is None
    assert schedules.database.transact(lambda conn: schedulers.beat(conn, made, fired=True))
    assert listing(schedules)[0].last_fire_at is not None
    schedules.database.transact(lambda conn: schedulers.leave(conn, made))
    assert listing(schedules, dead_too=False) == []
    assert not schedules.database.transact(lambda conn: schedulers.beat(conn, made, fired=False))
    assert not listing(schedules)[0].is_live


def test_a_silent_daemon_is_found_dead(schedules: Schedules) -> None:
    silent, patient, live = schedules.scheduler(), schedules.scheduler(120), schedules.scheduler()
    schedules.silence(silent, 61)
    schedules.silence(patient, 61)
    assert {row.id for row in listing(schedules) if row.is_live} == {patient, live}
    assert schedules.database.transact(schedulers.bury_silent) == 1
    assert {row.id for row in listing(schedules, dead_too=False)} == {patient, live}


def test_long_dead_daemons_are_forgotten(schedules: Schedules, store: Store) -> None:
    old, young, live = schedules.scheduler(), schedules.scheduler(), schedules.scheduler()
    for one in (old, young):
        schedules.database.transact(lambda conn, one=one: schedulers.leave(conn, one))
    store.change(
        lambda t: f"UPDATE {t.scheduler} SET dead_at = {t.after(':us')} WHERE id = :id", id=store.key(old), us=-(10**9)
    )
    assert schedules.database.transact(lambda conn: schedulers.prune(conn, 500)) == 1
    assert {row.id for row in listing(schedules)} == {young, live}


def test_what_is_overdue_and_who_would_fire_it(schedules: Schedules) -> None:
    """For those who look every few seconds. Fails when a dead, or silent, daemon counts."""

    def overdue() -> tuple[int, int]:
        with schedules.database.connect() as conn:
            found = schedulers.overdue(conn)
        assert 0 <= found.oldest_seconds < 10**9
        return found.count, found.daemons

    schedules.put(spec("a"), spec("b"), spec("c"))
    assert overdue() == (0, 0)
    schedules.back("a")
    schedules.back("b")
    schedules.set("b", paused_at=schedules.now(), due_at=None)
    assert overdue() == (1, 0)
    silent, gone, _ = (schedules.scheduler() for _ in range(3))
    assert overdue() == (1, 3)
    schedules.silence(silent)
    schedules.database.transact(lambda conn: schedulers.leave(conn, gone))
    assert overdue() == (1, 1)

"""One daemon, on each engine: it fires on time, gets over what is wrong, and says that it is there."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from lodger import settings as settings_module
from lodger.errors import LodgerError
from lodger.model.schedule import fire_id
from lodger.model.timetable import Cron, Every
from lodger.scheduler.daemon import Daemon, make_daemon
from lodger.store import migrations, schedulers
from lodger.store import schedules as operations
from lodger.store.database import Database
from lodger.wake.listener import Listener
from tests.scheduler.conftest import StartDaemon
from tests.support.schedules import PERIOD, Schedules, spec
from tests.support.store import Store, new_run
from tests.support.wait import wait_until

SECONDLY = Every(seconds=1)


def rows(schedules: Schedules) -> list[schedulers.SchedulerRecord]:
    with schedules.database.connect() as conn:
        return schedulers.listing(conn, dead_too=True)


def is_dead(schedules: Schedules, scheduler: str) -> bool:
    return any(row.id == scheduler and row.dead_at for row in rows(schedules))


def wait_fired(schedules: Schedules, count: int, schedule: str = "s") -> None:
    wait_until(lambda: schedules.get(schedule).fired >= count, 20, f"{count} fires of {schedule}")


def lateness(schedules: Schedules) -> list[float]:
    """How late the instants of `s` were fired, in seconds, by the database's clock."""
    from lodger.store.values import time_out

    found = schedules.store.rows(lambda t: f"SELECT instant, fired_at FROM {t.fire} WHERE schedule_id = 's'")
    return [(_time(time_out(row[1])) - _time(time_out(row[0]))).total_seconds() for row in found]


def _time(value: datetime | None) -> datetime:
    assert value is not None
    return value


def test_instants_are_fired_on_time(schedules: Schedules, start_daemon: StartDaemon) -> None:
    """Not only when it looks: it looks once a minute here."""
    schedules.put(spec(timetable=SECONDLY, misfire="all"))
    start_daemon(schedule_seconds=60, beat_seconds=30, dead_after_seconds=60, sweep_seconds=60)
    wait_fired(schedules, 4)
    late = sorted(lateness(schedules)[1:])  # the first one had to wait for the daemon's start
    assert late[0] >= 0
    assert late[len(late) // 2] < 0.5


def test_what_is_added_later_is_seen(schedules: Schedules, start_daemon: StartDaemon) -> None:
    start_daemon()
    wait_until(lambda: rows(schedules), 20, "the daemon")
    schedules.put(spec(timetable=SECONDLY))
    wait_fired(schedules, 1)


def test_a_paused_one_waits(schedules: Schedules, store: Store, start_daemon: StartDaemon) -> None:
    schedules.put(spec("paused", SECONDLY), spec("other", SECONDLY))
    store.database.transact(lambda conn: operations.pause(conn, "paused"))
    start_daemon()
    wait_fired(schedules, 2, "other")
    assert schedules.get("paused").fired == 0
    store.database.transact(lambda conn: operations.resume(conn, "paused"))
    wait_fired(schedules, 1, "paused")


def test_what_was_missed_follows_the_policy(schedules: Schedules, store: Store, start_daemon: StartDaemon) -> None:
    policies = ("latest", "skip", "all")
    schedules.put(*[spec(misfire, misfire=misfire) for misfire in policies])
    first = schedules.back("latest", 3 * PERIOD)
    for misfire in ("skip", "all"):
        schedules.back(misfire, 3 * PERIOD)
    start_daemon()
    for misfire, fired in zip(policies, [1, 0, 3], strict=True):
        wait_until(lambda misfire=misfire: schedules.get(misfire).next_at == first + 3 * PERIOD, 20, misfire)  # type: ignore[misc]
        assert schedules.get(misfire).fired == fired


def test_one_that_can_t_be_fired_keeps_no_other_from_it(
    schedules: Schedules, store: Store, start_daemon: StartDaemon
) -> None:
    schedules.put(spec("zone", Cron("* * * * *")), spec("template"), spec("good"))
    for name in ("zone", "template", "good"):
        schedules.back(name)
    schedules.set("zone", timetable='{"cron": "* * * * *", "timezone": "Europe/Bonn"}')
    schedules.set("template", template='{"unique": null, "meta": null, "args": "{}", "from": "the future"}')
    start_daemon()
    wait_fired(schedules, 1, "good")
    wait_until(lambda: schedules.get("zone").state == schedules.get("template").state == "error", 20, "the errors")
    assert "Europe/Bonn" in (schedules.get("zone").error or "")
    assert (
        "the future" in schedules.store.rows(lambda t: f"SELECT template FROM {t.schedule} WHERE id = 'template'")[0][0]
    )
    assert store.ids() == [fire_id("good", _time(schedules.get("good").last_at))]


def test_a_fire_wakes_the_workers(database_url: str, schedules: Schedules, start_daemon: StartDaemon) -> None:
    """As an enqueue does: nobody waits for a poll."""
    heard: set[str] = set()
    told = threading.Event()

    def hear(queues: frozenset[str]) -> None:
        heard.update(queues)
        if "media" in heard:
            told.set()

    database = Database(database_url)
    listener = Listener(database, hear)
    listener.start()
    try:
        schedules.put(spec(timetable=SECONDLY, run=new_run(queue="media")))
        start_daemon()
        assert told.wait(20)
    finally:
        listener.stop()
        database.dispose()


def test_its_row_from_start_to_end(schedules: Schedules, start_daemon: StartDaemon) -> None:
    schedules.put(spec(timetable=SECONDLY))
    daemon = start_daemon(environment="test", release="7")
    wait_until(lambda: [row for row in rows(schedules) if row.last_fire_at], 20, "a fire told by a beat")
    (row,) = rows(schedules)
    assert (row.id, row.environment, row.release, row.is_live) == (daemon.id, "test", "7", True)
    daemon.stop()
    (row,) = rows(schedules)
    assert row.dead_at is not None


def test_found_dead_it_goes_on_under_another_id(schedules: Schedules, start_daemon: StartDaemon) -> None:
    daemon = start_daemon(specs=[spec(timetable=SECONDLY)])
    wait_fired_of_code(schedules)
    first = daemon.id
    schedules.database.transact(lambda conn: schedulers.leave(conn, first))
    wait_until(lambda: daemon.id != first, 20, "another id")
    fired = schedules.get().fired
    wait_fired(schedules, fired + 2)


def test_it_buries_the_silent(schedules: Schedules, start_daemon: StartDaemon) -> None:
    other = schedules.scheduler()
    schedules.silence(other)
    start_daemon()
    wait_until(lambda: is_dead(schedules, other), 20, "the burial")


def test_it_declares_in_its_own_name(schedules: Schedules, start_daemon: StartDaemon) -> None:
    """A daemon without a worker: nobody else would."""
    daemon = start_daemon()
    daemon.declare([spec(timetable=SECONDLY)])
    wait_fired_of_code(schedules)
    assert schedules.get().origin == "code"


def wait_fired_of_code(schedules: Schedules) -> None:
    def fired() -> bool:
        found = schedules.store.rows(lambda t: f"SELECT fired FROM {t.schedule}")
        return bool(found and found[0][0])

    wait_until(fired, 20, "a fire of what was declared")


def test_what_nobody_declares_is_flagged_after_the_grace(schedules: Schedules, start_daemon: StartDaemon) -> None:
    schedules.declare(spec(timetable=SECONDLY), owner=None)
    start_daemon(dead_after_seconds=1)
    wait_until(lambda: schedules.get().state == "undeclared", 20, "the flag")
    assert schedules.get().fired == 0


def test_a_daemon_that_has_just_begun_flags_nothing(schedules: Schedules, start_daemon: StartDaemon) -> None:
    """All beats are old after a downtime; what was missed is made up for as soon as a worker is back.

    Shown to fail: with the condition on `_untroubled_since` taken out of `_sweep`.
    """
    owner = schedules.scheduler()
    schedules.declare(spec(), owner=owner)
    schedules.store.change(lambda t: f"UPDATE {t.schedule} SET created_at = {t.after(':us')}", us=-10_800 * 10**6)
    instant = schedules.back()
    schedules.silence(owner)
    daemon = start_daemon(dead_after_seconds=3600)
    for silent in (owner, schedules.scheduler()):  # each is buried by a sweep of its own
        schedules.silence(silent, 10_800)
        wait_until(lambda silent=silent: is_dead(schedules, silent), 20, "a sweep")  # type: ignore[misc]
    assert schedules.get().state == "active"
    daemon.declare([spec()])
    wait_fired(schedules, 1)
    assert schedules.get().last_at == instant


def test_without_tables_it_waits_for_them(database_url: str, engine: str) -> None:
    """SQLite makes them itself; elsewhere somebody runs `lodger migrate` in the end."""
    database = Database(database_url)
    daemon = make_daemon(settings_module.read({"schedule_seconds": 0.05}), database)
    daemon.start()
    try:
        if engine != "sqlite":
            wait_until(lambda: daemon._failures > 0, 20, "the complaint")
            migrations.migrate(database)
        wait_until(lambda: daemon.id, 20, "the row")
    finally:
        daemon.stop()
        database.dispose()


def test_pruning_keeps_what_is_young(schedules: Schedules, store: Store, start_daemon: StartDaemon) -> None:
    schedules.put(spec())
    schedules.back()
    schedules.fire_due()
    store.change(lambda t: f"UPDATE {t.fire} SET fired_at = {t.after(':us')}", us=-3600 * 10**6)
    schedules.put(spec("young", SECONDLY))
    start_daemon(keep_fires_seconds=60, prune_seconds=0.1)
    wait_until(lambda: schedules.fires() == [], 20, "the old fire to go")
    wait_until(lambda: schedules.fires("young"), 20, "a young one")


def test_a_daemon_may_be_stopped_before_its_start_and_twice(store: Store) -> None:
    daemon = make_daemon(settings_module.read({}), store.database)
    daemon.stop()
    daemon.start()
    daemon.stop()
    daemon.stop()
    assert daemon.id == ""


def test_an_error_is_waited_out_and_told_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """And another one among its like is told, too. Fails when only the first of a series is logged."""
    daemon = Daemon(settings_module.read({}), store.database, "separate")
    pauses = [daemon._note_trouble(LodgerError("no")) for _ in range(10)]
    pauses += [daemon._note_trouble(LodgerError("no tables")) for _ in range(10)]
    assert caplog.text.count("schedules: no (trying on)") == 1
    assert caplog.text.count("schedules: no tables (trying on)") == 1
    assert 0 < pauses[0] < 0.3
    assert 2 < pauses[-1] <= 5

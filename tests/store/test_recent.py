"""The newest runs, counted: how many ended, how long they took, and how far back that was read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lodger.model.ids import first_id_at, new_id, time_of
from lodger.store import recent
from lodger.store.recent import Totals
from tests.support.store import Store


def totals(store: Store, sample: int = 100) -> Totals:
    with store.database.connect() as conn:
        return recent.totals(conn, sample)


def durations(store: Store, sample: int = 100) -> list[float]:
    with store.database.connect() as conn:
        return recent.durations(conn, sample)


def test_of_no_runs(store: Store) -> None:
    assert totals(store) == Totals(read=0, since=None, completed=0, mean_seconds=None, failed=0)
    assert durations(store) == []


def test_successes_of_an_hour_failures_of_a_day(store: Store) -> None:
    """To the microsecond, whatever the engine. Fails when hour and day change places."""
    store.ended("SUCCEEDED", took=1, ago=10)
    store.ended("SUCCEEDED", took=2.000001, ago=3500)
    store.ended("SUCCEEDED", took=50, ago=3700)
    store.ended("FAILED", took=70, ago=86300)
    store.ended("FAILED", took=70, ago=86500)
    store.ended("CANCELLED", took=70, ago=10)
    store.enqueue()
    found = totals(store)
    assert (found.completed, found.failed, found.read, found.since) == (2, 1, 7, None)
    assert found.mean_seconds == pytest.approx(1.5000005)


def test_no_more_than_the_sample_is_read_and_that_is_told(store: Store) -> None:
    """A number of a part must not pass for the whole. Fails without LIMIT, or when `since` is not told."""
    now = datetime.now(UTC)
    for minutes in (50, 40, 30, 20, 10):
        made = round((now - timedelta(minutes=minutes)).timestamp() * 1000)
        store.ended("SUCCEEDED", took=minutes, ago=60, id=first_id_at(made))
    found = totals(store, 3)
    assert (found.read, found.completed) == (3, 3)
    assert found.mean_seconds == 20
    assert found.since is not None
    assert abs(found.since - (now - timedelta(minutes=30))) < timedelta(seconds=1)
    assert totals(store, 5).since is None, "five are all there are"
    assert sorted(durations(store, 2)) == [10, 20]


def test_only_what_a_worker_has_ended_has_a_duration(store: Store) -> None:
    store.ended("SUCCEEDED", took=1, ago=10)
    store.ended("FAILED", took=2, ago=10)
    store.ended("CANCELLED", took=3, ago=10)
    never = store.enqueue()  # such as one that has expired
    store.set_run(never, status="FAILED", ready_queue=None)
    store.set_time(never, 0, "completed_at")
    store.enqueue()
    assert sorted(durations(store)) == [1, 2]


def test_running_by_queue(store: Store) -> None:
    worker = store.worker()
    for queue in ("a", "a", "b"):
        store.running(worker, queue=queue)
    store.enqueue(queue="c")
    with store.database.connect() as conn:
        assert recent.running(conn) == {"a": 2, "b": 1}


def test_an_id_tells_when_it_was_made() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert before <= time_of(new_id()) <= datetime.now(UTC) + timedelta(milliseconds=1)

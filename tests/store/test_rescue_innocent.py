"""Rescue of an engine whose flight recorder tells which runs it was executing."""

from __future__ import annotations

import pytest

from lodger.model.outcome import MAX_LOST
from lodger.store import rescue
from tests.support.store import Store

HOW = "signal SIGSEGV"


def test_the_one_that_was_running_is_blamed_its_neighbours_are_not(store: Store) -> None:
    """Fails if the manifest is left aside: all three would be suspects."""
    worker = store.worker()
    guilty, ended, held = (store.running(worker, max_attempts=5) for _ in range(3))
    with store.database.begin() as conn:
        rescue.free_engine(conn, worker, 1, HOW, running={guilty.id}, begun={ended.id})
    assert [store.row(run.id)["suspect"] for run in (guilty, ended, held)] == [1, 0, 0]
    assert [store.get(run.id).crashes for run in (guilty, ended, held)] == [1, 0, 0]
    assert [store.get(run.id).attempt for run in (guilty, ended, held)] == [1, 0, 0]
    assert [store.get(run.id).status for run in (guilty, ended, held)] == ["QUEUED"] * 3
    assert [store.get(run.id).fence for run in (guilty, ended, held)] == [2] * 3
    assert [one.outcome for one in store.attempts(ended.id)] == ["LOST"]
    assert store.attempts(held.id) == [], "it was not attempted"


def test_of_two_that_were_running_neither_is_blamed_and_the_third_is_no_suspect(store: Store) -> None:
    worker = store.worker()
    one, other, held = (store.running(worker) for _ in range(3))
    with store.database.begin() as conn:
        rescue.free_engine(conn, worker, 1, HOW, running={one.id, other.id})
    assert [store.row(run.id)["suspect"] for run in (one, other, held)] == [1, 1, 0]
    assert [store.get(run.id).crashes for run in (one, other, held)] == [0, 0, 0]


@pytest.mark.parametrize(("begun", "status"), [(True, "FAILED"), (False, "QUEUED")])
def test_what_must_not_run_twice_runs_again_only_if_it_had_not_begun(store: Store, begun: bool, status: str) -> None:
    worker = store.worker()
    run = store.running(worker, on_crash="fail")
    with store.database.begin() as conn:
        freed = rescue.free_engine(conn, worker, 1, HOW, running=set(), begun={run.id} if begun else set())
    assert freed == [rescue.Freed(run.id, "j", status)]
    assert store.get(run.id).attempt == (1 if begun else 0)


def test_a_cancel_that_was_asked_for_is_done(store: Store) -> None:
    worker = store.worker()
    run = store.running(worker)
    store.set_run(run.id, cancel_requested=1)
    with store.database.begin() as conn:
        rescue.free_engine(conn, worker, 1, HOW, running=set())
    assert store.get(run.id).status == "CANCELLED"


def test_what_is_lost_in_every_engine_is_not_innocent_for_ever(store: Store) -> None:
    """A run whose leftovers kill its engine after it has ended. Fails if the loss is not counted: it runs for ever."""
    worker = store.worker()
    run = store.running(worker)
    store.set_run(run.id, lost=MAX_LOST - 2)
    for status in ("QUEUED", "FAILED"):
        with store.database.begin() as conn:
            (freed,) = rescue.free_engine(conn, worker, 1, HOW, running=set(), begun={run.id})
        assert freed.status == status
        store.claim(worker)
    assert store.get(run.id).attempt == 1

"""Claims by many at once: no run twice, no run lost."""

from __future__ import annotations

from collections import Counter

import pytest

from lodger.store import claims
from tests.support.store import Store, new_run, race

RACERS = 8


@pytest.mark.parametrize("limit", [1, 7])
def test_eight_racers_never_claim_a_run_twice_and_leave_none(store: Store, limit: int) -> None:
    """Fails on MariaDB without FOR UPDATE in `_due` and `status = 'QUEUED'` in take_locked."""
    total = 120 if limit > 1 else 48
    store.insert(*(new_run() for _ in range(total)))
    workers = [store.worker() for _ in range(RACERS)]

    def until_empty(number: int) -> list[str]:
        taken: list[str] = []
        while batch := store.claim(workers[number], limit):
            taken += [run.id for run in batch]
        return taken

    taken = Counter(run_id for part in race(RACERS, until_empty) for run_id in part)
    assert sorted(taken) == store.ids()
    assert set(taken.values()) == {1}
    assert store.count("fence = 1 AND attempt = 1 AND status = 'RUNNING'") == total


def test_claimers_with_one_worker_row_do_not_wait_for_each_other(store: Store) -> None:
    """The worker's row is read, not locked: eight engines of one worker claim at once and each gets its share."""
    store.insert(*(new_run() for _ in range(RACERS * 3)))
    worker = store.worker()
    batches = race(RACERS, lambda number: store.claim(worker, 3, engine=number))
    assert sum(map(len, batches)) == RACERS * 3


def test_a_run_locked_by_another_transaction_is_passed_over(store: Store) -> None:
    """A claim in flight holds up nobody.

    Fails without SKIP LOCKED (it would wait). SQLite has one writer: the second claim comes after the first.
    """
    first, second = new_run(claim_rank=-1), new_run()
    store.insert(first, second)
    worker, other = store.worker(), store.worker()
    options = {"engine": 1, "queue": "default", "jobs": ["j"], "limit": 1}
    if store.dialect == "sqlite":
        assert [store.claim_one(one).id for one in (worker, other)] == [first.id, second.id]
        return
    with store.database.begin() as conn:
        assert [run.id for run in claims.claim(conn, worker=worker, **options)] == [first.id]  # type: ignore[arg-type]
        assert store.claim_one(other).id == second.id


def test_a_claim_that_rolls_back_leaves_the_run_to_the_next(store: Store) -> None:
    """Nothing is owned before the commit."""
    run_id = store.enqueue()
    worker = store.worker()
    with store.database.connect() as conn:
        conn.run("BEGIN")
        assert len(claims.claim(conn, worker=worker, engine=1, queue="default", jobs=["j"], limit=1)) == 1
        conn.run("ROLLBACK")
    run = store.claim_one(worker)
    assert (run.id, run.fence, run.attempt) == (run_id, 1, 1)


def test_a_run_that_was_cancelled_after_it_was_chosen_is_not_taken(store: Store) -> None:
    """MariaDB claims in two statements: the second one asks for the status again.

    Fails on MariaDB without `status = 'QUEUED'` in take_locked.
    """
    run_id = store.enqueue()
    worker = store.worker()
    store.set_run(run_id, status="CANCELLED", ready_queue=None)
    if store.dialect == "mysql":
        with store.database.connect() as conn:
            taken = conn.write(claims.take_locked(1), owner=store.key(worker), engine=1, id_0=store.key(run_id))
    else:
        taken = len(store.claim(worker))
    assert taken == 0
    assert store.status(run_id) == "CANCELLED"

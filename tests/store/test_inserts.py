"""Enqueue: one run, many runs, every shape, the same run twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lodger.errors import InvalidInput
from lodger.model.outcome import Returned
from lodger.model.payload import MAX_BYTES
from lodger.model.unique import Unique
from lodger.store import inserts
from lodger.store.database import Conn
from lodger.store.steps import perform
from tests.support.store import Store, new_run
from tests.support.texts import NASTY_TEXTS

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "ready": {"meta": "{}"},
    "scheduled": {"delay_seconds": 3600},
}


class Undo(Exception):
    """Raised to roll back."""


@pytest.mark.parametrize("shape", SHAPES)
def test_one_run_of_each_shape_has_the_columns_of_its_status(store: Store, shape: str) -> None:
    """QUEUED rows are all due and in the claim's index; SCHEDULED ones in the promotion's."""
    run_id = store.enqueue(**SHAPES[shape], claim_rank=-7, max_attempts=4, on_crash="fail", args='{"a":1}')
    row, run = store.row(run_id), store.get(run_id)
    waits = shape == "scheduled"
    assert run.status == ("SCHEDULED" if waits else "QUEUED")
    assert row["ready_queue"] == (None if waits else "default")
    assert (row["scheduled_at"] == row["run_at"]) is waits
    assert (run.queued_at is None) is waits
    assert (run.priority, run.max_attempts, row["on_crash"], run.args) == (7, 4, "fail", {"a": 1})
    assert (run.fence, run.attempt, run.crashes, run.interruptions, run.lost) == (0, 0, 0, 0, 0)
    assert (run.worker_id, run.started_at, run.completed_at, run.error, run.result) == (None,) * 5


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 700])
def test_many_runs_are_inserted_and_answered_in_the_order_given(store: Store, count: int) -> None:
    """Sizes around the chunk, in which SQLite and MariaDB are told."""
    new = [new_run(args=json.dumps({"n": n})) for n in range(count)]
    answers = store.insert(*new)
    assert [answer.id for answer in answers] == [run.id for run in new]
    assert all(answer.created for answer in answers)
    rows = store.rows(lambda t: f"SELECT args FROM {t.run}")
    assert sorted(json.loads(row[0])["n"] for row in rows) == list(range(count))


def test_a_batch_of_all_shapes_mixed_keeps_each_run_s_own_values(store: Store) -> None:
    """Shapes go in separate statements; nothing may slip from one run to its neighbour."""
    new = [
        new_run(args=str(n), **SHAPES[shape], tags=json.dumps([shape]) if shape != "plain" else None)
        for n, shape in enumerate(["plain", "ready", "plain", "scheduled", "scheduled", "ready", "plain"])
    ]
    store.insert(*new)
    runs = [store.get(run.id) for run in new]
    assert [run.args for run in runs] == list(range(7))
    assert [run.tags for run in runs] == [tuple(json.loads(run.tags)) if run.tags else () for run in new]
    assert [str(run.status) == "SCHEDULED" for run in runs] == [run.is_scheduled for run in new]


def test_no_runs_are_no_error(store: Store) -> None:
    """An app may enqueue for each of nothing."""
    assert store.insert() == []


def test_options_meta_tags_and_expiry_come_back(store: Store) -> None:
    """What a run brings along."""
    run_id = store.enqueue(options='{"timeout":5}', meta='{"a":{"b":1}}', tags='["x","y"]', expires_seconds=60)
    run = store.get(run_id)
    assert (run.meta, run.tags) == ({"a": {"b": 1}}, ("x", "y"))
    assert store.row(run_id)["options"] == '{"timeout":5}'
    assert run.expires_at is not None
    assert run.run_at is not None
    assert run.expires_at - run.run_at == timedelta(seconds=60)


def test_a_delay_counts_from_the_database_s_clock(store: Store) -> None:
    """The application's clock has no say in what is due."""
    delayed = store.get(store.enqueue(delay_seconds=1000))
    queued = store.get(store.enqueue())
    assert delayed.run_at is not None
    assert queued.run_at is not None
    assert abs((delayed.run_at - queued.run_at).total_seconds() - 1000) < 5


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-9, minutes=-30))])
def test_an_aware_run_at_is_the_same_instant_to_the_microsecond(store: Store, zone: timezone) -> None:
    """The databases store UTC."""
    when = datetime(2040, 2, 29, 23, 59, 59, 123456, tzinfo=zone)
    run = store.get(store.enqueue(run_at=when))
    assert run.run_at == when
    assert run.status == "SCHEDULED"


def test_a_run_at_in_the_past_is_scheduled_and_due_at_once(store: Store) -> None:
    """It keeps its place by the time it was meant for."""
    run_id = store.enqueue(run_at=datetime(2001, 1, 1, tzinfo=UTC))
    assert store.promote() == ["default"]
    assert store.status(run_id) == "QUEUED"


def test_a_naive_run_at_is_refused(store: Store) -> None:
    """Its zone would be a guess."""
    with pytest.raises(InvalidInput, match="time zone"):
        store.enqueue(run_at=datetime(2040, 1, 1))  # noqa: DTZ001 - that is the point
    assert store.count() == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ahead", ["waiting", "ended"])
def test_a_run_sent_again_after_a_lost_commit_reply_is_not_made_twice(store: Store, shape: str, ahead: str) -> None:
    """The id is the client's; sending it again changes nothing, however far the run has come.

    Fails without ON CONFLICT DO NOTHING (ON DUPLICATE KEY): the second insert raises.
    """
    new = new_run(**SHAPES[shape])
    store.insert(new)
    if ahead == "ended":
        worker = store.worker()
        store.set_run(new.id, status="QUEUED", ready_queue="default", scheduled_at=None)
        store.finish(store.claim_one(worker), Returned(None))
    before = store.row(new.id)
    assert [answer.created for answer in store.insert(new)] == [True]
    assert store.row(new.id) == before
    assert store.count() == 1


def test_a_batch_of_which_a_part_is_there_already_inserts_the_rest(store: Store) -> None:
    """A batch whose reply was lost is sent again whole."""
    new = [new_run() for _ in range(10)]
    store.insert(*new[3:5])
    assert [answer.id for answer in store.insert(*new)] == [run.id for run in new]
    assert store.count() == 10


@pytest.mark.parametrize("count", [1, 5])
def test_runs_of_a_transaction_that_rolls_back_were_never_there(store: Store, count: int) -> None:
    """An enqueue lives and dies with the app's transaction."""
    new = [new_run(unique=Unique(key=str(n))) for n in range(count)]

    def undone(conn: Conn) -> None:
        assert len(perform(conn, inserts.insert(store.dialect, new))) == count
        raise Undo

    with pytest.raises(Undo):
        store.database.transact(undone)
    assert store.count() == 0


@pytest.mark.parametrize("many", [False, True])
def test_every_text_comes_back_as_it_was(store: Store, many: bool) -> None:
    """Quotes, backslashes, percent signs, colons, control characters, all planes of Unicode."""
    new = [
        new_run(
            args=json.dumps({"t": text}), meta=json.dumps({text: text}, ensure_ascii=False), tags=json.dumps([text])
        )
        for text in NASTY_TEXTS
    ]
    if many:
        store.insert(*new)
    else:
        for run in new:
            store.insert(run)
    runs = [store.get(run.id) for run in new]
    assert [run.args for run in runs] == [{"t": text} for text in NASTY_TEXTS]
    assert [run.meta for run in runs] == [{text: text} for text in NASTY_TEXTS]
    assert [run.tags for run in runs] == [(text,) for text in NASTY_TEXTS]


def test_a_batch_of_the_largest_payloads_is_inserted(store: Store) -> None:
    """Servers bound the size of a statement (MariaDB: 16 MB by default).

    Fails when a chunk is bounded by its count alone.
    """
    args = json.dumps("x" * (MAX_BYTES - 2))
    new = [new_run(args=args) for _ in range(40)]
    assert len(store.insert(*new)) == 40
    (row,) = store.rows(lambda t: f"SELECT COUNT(*), MIN(LENGTH(args)) FROM {t.run}")
    assert tuple(row) == (40, MAX_BYTES)

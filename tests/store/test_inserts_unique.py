"""Unique keys: one holder at a time, decided by the database's index alone."""

from __future__ import annotations

from typing import Any

import pytest

from lodger.errors import UniqueConflict
from lodger.model.outcome import Cancelled, Ending, Raised, Returned, Snoozed, Stopped
from lodger.model.run import Inserted, RunError
from lodger.model.unique import Unique
from lodger.store import inserts, runs, upkeep
from lodger.store.sql import Terms
from lodger.store.steps import Step, perform
from tests.support.store import Store, drive, new_run, race

ENDINGS: list[Ending] = [Returned(None), Returned("1"), Raised(RunError(type="E", message="m"), False), Cancelled("no")]
NON_ENDINGS: list[Ending] = [Raised(RunError(type="E", message="m"), True), Snoozed(5), Stopped()]


class Undo(Exception):
    """Raised to roll back."""


def enqueue(store: Store, key: str = "k", **options: Any) -> Inserted:
    """Enqueue a run with a unique key."""
    (inserted,) = store.insert(new_run(unique=Unique(key=key, **options)))
    return inserted


def held(store: Store, run_id: str) -> bool:
    """Whether the run holds its key."""
    return store.row(run_id)["unique_slot"] is not None


def test_a_second_enqueue_is_given_the_holder(store: Store) -> None:
    """Fails without the UNIQUE index: there would be two."""
    first, second = enqueue(store), enqueue(store)
    assert first.created
    assert second == Inserted(id=first.id, created=False)
    assert store.count() == 1


@pytest.mark.parametrize("shape", [{}, {"delay_seconds": 60}])
def test_the_holder_may_be_queued_or_scheduled(store: Store, shape: dict[str, Any]) -> None:
    """Both wait."""
    first = new_run(unique=Unique(key="k"), **shape)
    store.insert(first)
    assert enqueue(store) == Inserted(id=first.id, created=False)


def test_conflict_raise_names_the_key_the_holder_and_its_status(store: Store) -> None:
    """And leaves nothing behind."""
    first = enqueue(store)
    with pytest.raises(UniqueConflict) as caught:
        enqueue(store, conflict="raise")
    assert (caught.value.key, caught.value.holder, caught.value.status) == ("k", first.id, "QUEUED")
    assert store.ids() == [first.id]


@pytest.mark.parametrize("shape", [{}, {"delay_seconds": 60}])
def test_conflict_replace_cancels_a_waiting_holder_and_takes_its_key(store: Store, shape: dict[str, Any]) -> None:
    """The last one wins, as for a search index that is to be rebuilt."""
    first = new_run(unique=Unique(key="k"), **shape)
    store.insert(first)
    second = enqueue(store, conflict="replace")
    assert second.created
    assert (store.status(first.id), store.status(second.id)) == ("CANCELLED", "QUEUED")
    assert not held(store, first.id)
    assert held(store, second.id)
    assert store.get(first.id).completed_at is not None


@pytest.mark.parametrize("conflict", ["raise", "replace"])
def test_a_running_holder_is_never_replaced(store: Store, conflict: Any) -> None:
    """Its job is at work. Fails without `status <> 'RUNNING'` in replace_waiting and in the check before it."""
    run = store.running(store.worker(), unique=Unique(key="k"))
    with pytest.raises(UniqueConflict) as caught:
        enqueue(store, conflict=conflict)
    assert (caught.value.holder, caught.value.status) == (run.id, "RUNNING")
    assert store.status(run.id) == "RUNNING"
    assert enqueue(store) == Inserted(id=run.id, created=False)


@pytest.mark.parametrize("how", ENDINGS, ids=lambda how: type(how).__name__)
def test_the_key_is_free_again_when_the_run_has_ended(store: Store, how: Ending) -> None:
    """Every terminal status lets go, by either way of finishing. Fails without release_unique in `finish`."""
    run = store.running(store.worker(), unique=Unique(key="k"))
    store.finish(run, how)
    assert not held(store, run.id)
    assert enqueue(store).created


@pytest.mark.parametrize("how", NON_ENDINGS, ids=lambda how: type(how).__name__)
def test_the_key_is_kept_while_the_run_will_run_again(store: Store, how: Ending) -> None:
    """Retries, snoozes and interruptions are the same run."""
    run = store.running(store.worker(), unique=Unique(key="k"))
    store.finish(run, how)
    assert enqueue(store) == Inserted(id=run.id, created=False)


def test_the_key_is_free_after_a_cancel_and_after_a_completion_in_the_app_s_transaction(store: Store) -> None:
    """The other ways out: cancelled while waiting, by force, and complete_in."""
    worker = store.worker()
    waiting = enqueue(store)
    store.do(lambda d: runs.cancel(d, waiting.id))
    forced = store.running(worker, unique=Unique(key="k"))
    store.do(lambda d: runs.cancel(d, forced.id, force=True))
    completed = store.running(worker, unique=Unique(key="k"))
    assert store.do(lambda d: runs.complete(d, completed.id, completed.fence, None))
    assert enqueue(store).created


@pytest.mark.parametrize("free", ["silent", "engine"])
@pytest.mark.parametrize(("on_crash", "kept"), [("retry", True), ("fail", False)])
def test_a_rescue_keeps_the_key_exactly_when_the_run_will_run_again(
    store: Store, free: str, on_crash: str, kept: bool
) -> None:
    """A crash that fails the run must not leave its key taken for ever."""
    worker = store.worker()
    run = store.running(worker, unique=Unique(key="k"), on_crash=on_crash, max_attempts=5)
    if free == "engine":
        store.free_engine(worker)
    else:
        store.set_run(run.id, lost=0 if kept else 1000)
        store.silence(worker)
        store.free_silent(worker)
    assert held(store, run.id) is kept
    assert enqueue(store).created is not kept


def test_scope_waiting_lets_one_more_wait_behind_a_running_one(store: Store) -> None:
    """Once it runs it may have read old data: one more is needed, not two."""
    worker = store.worker()
    first = enqueue(store, states="waiting")
    assert not enqueue(store, states="waiting").created
    store.claim_one(worker)
    second = enqueue(store, states="waiting")
    assert second.created
    assert enqueue(store, states="waiting") == Inserted(id=second.id, created=False)
    assert store.ids() == sorted([first.id, second.id])


def test_scope_waiting_with_an_open_window_keeps_the_key_through_the_claim(store: Store) -> None:
    """At least that long from the enqueue. Fails without `unique_until` in the claim's assignment."""
    worker = store.worker()
    first = enqueue(store, states="waiting", window_seconds=600)
    store.claim_one(worker)
    assert enqueue(store, states="waiting") == Inserted(id=first.id, created=False)


def test_scope_waiting_with_a_closed_window_lets_go_at_the_claim(store: Store) -> None:
    """The window is over, and the run is no longer waiting."""
    first = enqueue(store, states="waiting", window_seconds=600)
    store.set_time(first.id, -1, "unique_until")
    store.claim_one(store.worker())
    assert enqueue(store).created


def test_a_window_outlives_the_run(store: Store) -> None:
    """Once per hour, however fast it is. Fails without `unique_until > now` in release_unique."""
    run = store.running(store.worker(), unique=Unique(key="k", window_seconds=600))
    store.finish(run, Returned(None))
    assert enqueue(store) == Inserted(id=run.id, created=False)


def test_a_closed_window_is_freed_by_the_sweep_and_not_before_its_end(store: Store) -> None:
    """free_unique leaves open windows and runs that have not ended."""
    worker = store.worker()
    ended = store.running(worker, unique=Unique(key="ended", window_seconds=600))
    open_ = store.running(worker, unique=Unique(key="open", window_seconds=600))
    for run in (ended, open_):
        store.finish(run, Returned(None))
    live = store.running(worker, unique=Unique(key="live", window_seconds=600))
    for run in (ended, live):
        store.set_time(run.id, -1, "unique_until")
    assert store.database.transact(lambda conn: upkeep.free_unique(conn, 10)) == 1
    assert [held(store, run.id) for run in (ended, open_, live)] == [False, True, True]


def test_a_closed_window_is_freed_by_the_sweep_of_a_run_that_need_hold_its_key_no_longer(store: Store) -> None:
    """Scope waiting: that is once it has started. Fails when the sweep looks at ended runs only."""
    worker = store.worker()
    started = store.running(worker, unique=Unique(key="started", states="waiting", window_seconds=600))
    waits = enqueue(store, "waits", states="waiting", window_seconds=600)
    for run_id in (started.id, waits.id):
        store.set_time(run_id, -1, "unique_until")
    assert store.database.transact(lambda conn: upkeep.free_unique(conn, 10)) == 1
    assert [held(store, run_id) for run_id in (started.id, waits.id)] == [False, True]


@pytest.mark.parametrize("conflict", ["return", "raise", "replace"])
@pytest.mark.parametrize("ahead", ["ended", "started"])
def test_a_closed_window_swallows_nothing_though_no_worker_has_swept(store: Store, conflict: Any, ahead: str) -> None:
    """The last sweep may be 15 seconds ago, or no worker there. Fails without `let_go` in `_settle`."""
    scope: Any = "active" if ahead == "ended" else "waiting"
    first = store.running(store.worker(), unique=Unique(key="k", states=scope, window_seconds=600))
    if ahead == "ended":
        store.finish(first, Returned(None))
    store.set_time(first.id, -1, "unique_until")
    second = enqueue(store, conflict=conflict)
    assert second.created
    assert [held(store, run_id) for run_id in (first.id, second.id)] == [False, True]
    assert store.status(first.id) == ("SUCCEEDED" if ahead == "ended" else "RUNNING")


def test_a_closed_window_ends_nothing_while_its_run_has_not_ended(store: Store) -> None:
    """It is at least that long. Fails when `window_is_over` looks at the window alone."""
    first = enqueue(store, window_seconds=600)
    waits = enqueue(store, "waits", states="waiting", window_seconds=600)
    for run_id in (first.id, waits.id):
        store.set_time(run_id, -1, "unique_until")
    assert enqueue(store) == Inserted(id=first.id, created=False)
    assert enqueue(store, "waits", states="waiting") == Inserted(id=waits.id, created=False)


def test_a_window_that_closes_under_eight_racers_makes_one_run(store: Store) -> None:
    """All of them see that it is over. Fails without the slot in `let_go`: a late one takes it from the new holder."""
    first = store.running(store.worker(), unique=Unique(key="k", window_seconds=600))
    store.finish(first, Returned(None))
    store.set_time(first.id, -1, "unique_until")
    answers = race(8, lambda _: enqueue(store))
    assert len({answer.id for answer in answers}) == 1
    assert sum(answer.created for answer in answers) == 1
    assert store.count() == 2


def test_conflict_replace_takes_the_key_of_an_ended_run_in_its_window_and_keeps_its_status(store: Store) -> None:
    """What has succeeded stays SUCCEEDED."""
    run = store.running(store.worker(), unique=Unique(key="k", window_seconds=600))
    store.finish(run, Returned(None))
    completed_at = store.get(run.id).completed_at
    assert enqueue(store, conflict="replace").created
    assert store.status(run.id) == "SUCCEEDED"
    assert store.get(run.id).completed_at == completed_at


def test_keys_of_two_jobs_and_runs_without_keys_do_not_meet(store: Store) -> None:
    """The slot is NULL without a key, and NULLs never collide."""
    batch = [new_run(job=job, unique=Unique(key="k")) for job in ("a", "b")] + [new_run(meta="{}") for _ in range(3)]
    assert [inserted.created for inserted in store.insert(*batch)] == [True] * 5


@pytest.mark.parametrize(("conflict", "created"), [("return", [True, False]), ("replace", [True, True])])
def test_the_same_key_twice_in_one_batch(store: Store, conflict: Any, created: list[bool]) -> None:
    """The first of the batch is the holder that the second meets."""
    batch = [new_run(unique=Unique(key="k", conflict=conflict)) for _ in range(2)]
    answers = store.insert(*batch)
    assert [answer.created for answer in answers] == created
    assert store.count("unique_slot IS NOT NULL") == 1


@pytest.mark.parametrize("ahead", ["queued", "running", "ended", "ended and taken"])
@pytest.mark.parametrize(
    "options", [{}, {"conflict": "raise"}, {"conflict": "replace"}, {"states": "waiting"}], ids=str
)
def test_a_unique_run_sent_again_is_answered_as_the_first_time(
    store: Store, options: dict[str, Any], ahead: str
) -> None:
    """Its commit reply was lost; meanwhile it may have run, ended, and another may hold the key.

    Fails when only the slot is asked for: the run would conflict with itself.
    """
    new = new_run(unique=Unique(key="k", **options))
    store.insert(new)
    if ahead != "queued":
        run = store.claim_one(store.worker())
        if ahead != "running":
            store.finish(run, Returned(None))
    if ahead == "ended and taken":
        enqueue(store)
    assert store.insert(new) == [Inserted(id=new.id, created=True)]


def test_a_key_held_when_we_insert_and_free_when_we_look_is_taken_then(store: Store) -> None:
    """The holder ended between two statements. Fails without the second insert in `_settle`: no run at all."""
    run = store.running(store.worker(), unique=Unique(key="k"))

    def let_go(step: Step) -> None:
        if step.statement is inserts.unique_holder and store.status(run.id) == "RUNNING":
            store.finish(run, Returned(None))

    new = new_run(unique=Unique(key="k"))
    with store.database.connect() as conn:
        answers = drive(conn, inserts.insert(store.dialect, [new]), before=let_go)
    assert answers == [Inserted(id=new.id, created=True)]
    assert store.status(new.id) == "QUEUED"


def test_sixteen_racers_for_one_key_make_one_run_though_half_of_them_roll_back(store: Store) -> None:
    """Whoever commits is given the one run that exists. Fails without the UNIQUE index."""

    def enter(number: int) -> str | None:
        def work(conn: Any) -> str:
            (answer,) = perform(conn, inserts.insert(store.dialect, [new_run(unique=Unique(key="k"))]))
            if number % 2:
                raise Undo
            return answer.id

        try:
            return store.database.transact(work, tries=20)
        except Undo:
            return None

    for _ in range(3):
        answers = race(16, enter)
        (run_id,) = store.ids()
        assert {answer for answer in answers if answer} == {run_id}
        store.change(lambda t: f"DELETE FROM {t.run}")


@pytest.mark.parametrize("conflict", ["raise", "replace"])
def test_eight_racers_of_the_other_conflicts_leave_one_holder(store: Store, conflict: Any) -> None:
    """Every racer either made a run or was told of the conflict; one of the runs made holds the key."""

    def enter(_: int) -> str | None:
        new = new_run(unique=Unique(key="k", conflict=conflict))
        try:
            steps = lambda conn: perform(conn, inserts.insert(store.dialect, [new]))  # noqa: E731
            return store.database.transact(steps, tries=20)[0].id
        except UniqueConflict:
            return None

    made = [run_id for run_id in race(8, enter) if run_id]
    waiting = [run_id for run_id in made if store.status(run_id) == "QUEUED"]
    assert len(waiting) == 1
    assert held(store, waiting[0])
    assert len(made) == 1 or conflict == "replace"
    assert sorted(made) == store.ids()


def test_the_index_itself_refuses_a_second_holder(store: Store) -> None:
    """The rule holds against code that forgets it."""
    first, other = enqueue(store), enqueue(store, key="other")

    def steal(t: Terms) -> str:
        return f"UPDATE {t.run} SET unique_slot = :slot WHERE id = :id"

    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        store.change(steal, id=store.key(other.id), slot=Unique(key="k").slot("j"))
    assert held(store, first.id)

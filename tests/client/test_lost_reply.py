"""An order whose commit reply was lost is sent again, and comes to what it would have come to at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lodger import Every, Lodger, WrongStatus
from lodger.model.outcome import Returned
from tests.client.jobs import Jobs
from tests.support.store import Store, reply_lost


@pytest.fixture
def lost(app: Lodger) -> Iterator[list[str]]:
    """The first transaction of the test's own commits, and nobody hears of it."""
    with reply_lost(app.database) as named:
        named.append("not yet")
        yield named
        assert named == [app.database.dialect]


def test_a_cancelled_run_is_cancelled(jobs: Jobs, lost: list[str]) -> None:
    """Fails when a run that is CANCELLED is refused: it was us."""
    handle = jobs.resize.enqueue("a")
    lost.clear()
    assert handle.cancel() == "CANCELLED"
    assert handle.cancel(force=True) == "CANCELLED"


def test_a_run_cancelled_by_force_is_cancelled(jobs: Jobs, store: Store, lost: list[str]) -> None:
    """The same, by the other way."""
    handle = jobs.resize.enqueue("a")
    store.claim_one(store.worker(), queue="media", jobs=["resize"])
    lost.clear()
    assert handle.cancel(force=True) == "CANCELLED"


@pytest.mark.parametrize("ahead", ["waits", "ran"])
def test_an_ended_run_is_queued_again_once(
    jobs: Jobs, store: Store, lost: list[str], monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    """Fails without the fence of before: it is QUEUED, and refused; or it has ended since, and is run a third time."""
    handle = jobs.resize.enqueue("a")
    worker = store.worker()
    store.finish(store.claim_one(worker, queue="media", jobs=["resize"]), Returned("1"))

    def work_on(_: float) -> None:
        if ahead == "ran":
            store.finish(store.claim_one(worker, queue="media", jobs=["resize"]), Returned("2"))

    monkeypatch.setattr("lodger.store.database.time.sleep", work_on)  # between the tries
    lost.clear()
    handle.retry()
    run = handle.refresh()
    assert (run.status, run.attempt) == (("QUEUED", 1) if ahead == "waits" else ("SUCCEEDED", 2))
    if ahead == "waits":
        with pytest.raises(WrongStatus):
            handle.retry()


def test_a_schedule_run_by_hand_is_one_run(app: Lodger, jobs: Jobs, store: Store, lost: list[str]) -> None:
    """Fails when the id is made inside of what is repeated."""
    app.store_schedule(jobs.resize.call("a"), Every(days=1), id="s")
    lost.clear()
    handle = app.run_schedule("s")
    assert handle.created
    assert store.ids() == [handle.id]
    assert app.get_schedule("s").last_run_id == handle.id

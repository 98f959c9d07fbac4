"""A run that was claimed ahead and is given back: queued as it was, nothing counted, nothing told."""

from __future__ import annotations

import random

from lodger.model.outcome import Returned, Unstarted, decide
from lodger.model.retry import Retry
from lodger.store import finish
from tests.support.store import Store


def test_what_is_given_back_unstarted_leaves_no_trace_but_its_fence(store: Store) -> None:
    """Fails if it is taken for a plain success: both have no result and no attempt row."""
    worker = store.worker()
    run, done = store.running(worker), store.running(worker)
    outcomes = [
        decide(one, end, Retry(), random.Random(1)) for one, end in ((run, Unstarted()), (done, Returned(None)))
    ]
    with store.database.begin() as conn:
        assert finish.record(conn, outcomes) == set()
    after = store.get(run.id)
    assert (after.status, after.fence, after.attempt, after.interruptions) == ("QUEUED", 2, 0, 0)
    assert store.attempts(run.id) == []
    assert store.claim_one(worker).id == run.id
    assert store.get(done.id).status == "SUCCEEDED"

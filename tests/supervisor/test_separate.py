"""What is not embeddable waits for a separate worker: single jobs, and whole queues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lodger.model.coverage import Lack, lack
from lodger.placement.launch import Placement
from tests.supervisor.app import alpha, beta, gamma
from tests.supervisor.bench import Bench

QUEUES = {"separate_queues": ("media", "video")}


@pytest.fixture
def other(bench: Bench) -> Iterator[Bench]:
    """A second worker on the same database."""
    made = Bench(bench.url)
    yield made
    made.close()


@pytest.mark.parametrize("placement", ["child", "thread"])
def test_no_embedded_worker_claims_it_and_a_separate_one_does(bench: Bench, other: Bench, placement: Placement) -> None:
    """Both have the same settings, as services of one deployment have.

    Fails with `registry` instead of `registry.embeddable()`, without `leaves` in the plan, and with either for a
    separate worker.
    """
    left = bench.put(("default", gamma.name), ("media", alpha.name), ("video", beta.name), ("media", gamma.name))
    ours = bench.put(("default", alpha.name), ("other", alpha.name), ("default", beta.name))
    bench.start(placement, **QUEUES)
    bench.wait_ready()
    bench.wait_done(*ours, *bench.put(("default", alpha.name)))
    assert {bench.status(one) for one in left} == {"QUEUED"}
    assert {bench.lodger.get_run(one).fence for one in left} == {0}
    other.start("separate", **QUEUES)
    bench.wait_done(*left)


@pytest.mark.parametrize("placement", ["child", "thread"])
def test_its_row_tells_what_it_leaves(bench: Bench, placement: Placement) -> None:
    """Also while mode auto has it leave more, and less again.

    Fails when `yield_pairs` forgets what the plan leaves.
    """
    bench.start(placement, frozenset({("default", alpha.name)}), **QUEUES)
    seen = bench.wait_ready()
    assert alpha.name in seen.jobs
    never = Lack("apart", "never takes gamma, which is declared embeddable=False")
    assert lack(seen, ("default", gamma.name), "default") == never
    assert gamma.name not in seen.jobs
    never = Lack("apart", "never takes from queue media, one of LODGER_SEPARATE_QUEUES")
    assert lack(seen, ("media", alpha.name), "default") == never
    left = Lack("yields", "leaves it to a separate worker")
    assert lack(seen, ("default", alpha.name), "default") == left
    assert lack(seen, ("default", beta.name), "default") is None
    bench.supervisor.yield_pairs(frozenset())
    bench.wait_beats(2)
    seen = bench.wait_ready()
    assert lack(seen, ("default", alpha.name), "default") is None
    never = Lack("apart", "never takes from queue video, one of LODGER_SEPARATE_QUEUES")
    assert lack(seen, ("video", beta.name), "default") == never

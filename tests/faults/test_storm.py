"""Workers killed at random under load: every run ends SUCCEEDED, once.

`LODGER_STORM=full` makes the storm as large as the promise: 20,000 runs, 64 kills, at least 300 runs started twice on
each engine. Prints one line of figures.

Shown to fail: with the sweep finding nobody (runs are stuck), with the app's transaction of `complete_in` committed
before the run is marked (two ledger rows).
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from sqlalchemy import text

from tests.faults.desk import Desk
from tests.faults.history import History
from tests.faults.storm import Size, Storm

FULL: Final = os.environ.get("LODGER_STORM") == "full"
SIZE: Final = (
    Size(runs=20_000, kills=64, started_twice=300, concurrency=24)
    if FULL
    else Size(runs=1500, kills=8, started_twice=20, concurrency=12)
)
LEDGER: Final = text("SELECT COUNT(*), COUNT(DISTINCT run_id) FROM ledger")
LEDGER_RUNS: Final = text("SELECT COUNT(*) FROM lodger_run WHERE status = 'SUCCEEDED' AND job LIKE 'ledger%'")


@pytest.mark.timeout(1800 if FULL else 300)
def test_storm(engine: str, desk: Desk, record_property: Callable[[str, object], None]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    began = time.monotonic()
    storm = Storm(desk, SIZE, seed)
    storm.rage()
    seconds = time.monotonic() - began
    history = desk.history()
    figures = f"storm on {engine}: {tell(storm, history)}; {seconds:.0f} s, seed {seed}"
    record_property("figures", figures)
    print(figures)
    desk.check()
    assert desk.counts() == {"SUCCEEDED": storm.enqueued}
    with desk.engine.connect() as connection:
        rows, runs = connection.execute(LEDGER).one()
        assert rows == runs == connection.execute(LEDGER_RUNS).scalar_one() > 0
    assert history.started_twice() >= SIZE.started_twice, figures


def tell(storm: Storm, history: History) -> str:
    kills = ", ".join(f"{count} {part}" for part, count in sorted(storm.kills.items()))
    outcomes = Counter(one.outcome for one in history.told if one.outcome != "SUCCEEDED")
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return (
        f"{len(history.rows)} runs, {storm.kills.total()} kills ({kills}), {history.started_twice()} runs started "
        f"twice, {len(history.ledger)} ledger rows; executions that did not count: {told}"
    )

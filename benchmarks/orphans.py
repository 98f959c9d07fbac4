"""What the live-worker check costs an enqueue: `python -m benchmarks.orphans`, on a SQLite file of its own.

The check alone (one run; a batch of 1000), served and unserved; then enqueues with and without it, in turns.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lodger import Lodger
from lodger.client.orphans import OrphanWatch
from lodger.model.ids import new_id
from lodger.model.run import NewRun

ROUNDS: Final = 15
CHECKS: Final = 20_000
ENQUEUES: Final = 300
BATCH: Final = 1000


def main() -> None:
    """Measure and print."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        lodger = Lodger(url=f"sqlite:///{Path(folder)}/orphans.db", orphan_seconds=1)
        lodger.migrate()
        watch = OrphanWatch(lodger.database, lodger.settings)
        check_alone(watch)
        beside_enqueues(lodger, watch)
        watch.close()
        lodger.close()


def check_alone(watch: OrphanWatch) -> None:
    """Print what one call of the check takes; the pair is watched from the first call on."""
    one, many = [make_run()], [make_run() for _ in range(BATCH)]
    print(f"one run          {fastest(lambda: watch.note(one), CHECKS) * 1e9:8.0f} ns")
    print(f"a batch of {BATCH}  {fastest(lambda: watch.note(many), CHECKS // BATCH) * 1e9:8.0f} ns")


def beside_enqueues(lodger: Lodger, watch: OrphanWatch) -> None:
    """Print what an enqueue takes with the check, its thread looking every 0.2 s at least, and without."""
    job = lodger.by_name("j")
    took: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * ROUNDS):
        checked = number % 2 == 0
        lodger._outbox._orphans = watch if checked else None  # noqa: SLF001 - that is what is measured
        took[checked].append(once(job.enqueue, ENQUEUES))
    for checked, times in took.items():
        print(f"enqueue {'with' if checked else 'without':8} {statistics.median(times) * 1e6:8.1f} us")


def make_run() -> NewRun:
    """Return a run of the job that all runs here are of."""
    return NewRun(id=new_id(), job="j", queue="default", args="{}")


def fastest(work: Callable[[], object], times: int) -> float:
    """Return the seconds that one call takes in the fastest of several rounds: the others were disturbed."""
    return min(once(work, times) for _ in range(ROUNDS))


def once(work: Callable[[], object], times: int) -> float:
    """Return the seconds that one of ``times`` calls takes."""
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


if __name__ == "__main__":
    main()

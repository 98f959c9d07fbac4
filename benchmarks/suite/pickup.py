"""Pick-up: from the call of enqueue in one process to the first line of the job in another, worker idle."""

from __future__ import annotations

import random
import time

from benchmarks.suite.bench import Bench, worker
from benchmarks.suite.jobs import picked_up

SAMPLES = 200


def measure(bench: Bench) -> None:
    """Take samples at irregular moments, so that no poll is in step with them."""
    bench.clear()
    waits: list[float] = []
    with worker(bench, queues="pickup"):
        picked_up.enqueue(time.time()).result(timeout=60)  # the worker is up
        for _ in range(SAMPLES):
            time.sleep(random.uniform(0.3, 0.5))
            waits.append(picked_up.enqueue(time.time()).result(timeout=30) * 1000)
    waits.sort()
    for share in (50, 95, 99):
        bench.add(f"pick-up by another process, p{share}", waits[min(len(waits) - 1, len(waits) * share // 100)], "ms")

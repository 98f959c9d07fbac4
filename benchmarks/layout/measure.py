"""Interleaving, medians and tables."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterable

Timed = dict[str, list[float]]


def interleave(
    rounds: int,
    names: Iterable[str],
    batch: Callable[[str], float],
    between: Callable[[int], None] = lambda _: None,
) -> Timed:
    """One batch of every variant each round, in random order, so that drift hits all alike."""
    took: Timed = {name: [] for name in names}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for name in random.sample(list(took), len(took)):
                took[name].append(batch(name))
            between(number)
    finally:
        gc.enable()
    return took


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ms(values: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rates(took: Timed) -> dict[str, float]:
    """Speed relative to the first row (2.0 = twice as fast), by medians."""
    medians = {name: statistics.median(values) for name, values in took.items()}
    first = next(iter(medians.values()))
    return {name: first / value for name, value in medians.items()}

"""All measurements of one engine, in order."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.suite import drain, enqueue, footprint, large, pickup
from benchmarks.suite.bench import opened
from benchmarks.suite.jobs import lodger

ENGINES = ("sqlite", "postgresql", "mariadb")


def measure_engine(engine: str, runs: int, rounds: int, large_rows: int) -> dict[str, Any]:
    """Return the engine's version and figures."""
    with opened(engine, runs, rounds) as bench:
        lodger.close()  # the app object outlives each engine of this run
        enqueue.measure(bench)
        drain.measure(bench)
        pickup.measure(bench)
        footprint.measure(bench)
        if large_rows:
            large.measure(bench, large_rows)
        lodger.close()
        bench.database.dispose()
        return {"version": bench.version, "figures": [asdict(figure) for figure in bench.figures]}

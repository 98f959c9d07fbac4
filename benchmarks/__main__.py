"""`make bench`: Lodger beside the raw driver's figure for the same statements, one table per engine.

    python -m benchmarks [--engine sqlite ...] [--runs 20000] [--rounds 5] [--json FILE]
    python -m benchmarks --large            # also: drain beside 10,000,000 finished + 100,000 waiting rows
    python -m benchmarks.peers              # Lodger beside other job systems
    python -m benchmarks.layout --help      # table layouts and statement shapes

Each figure is the median of its rounds, and the rounds of Lodger and of the raw driver are interleaved: only the
ratio of two figures of one run says anything on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.suite.run import ENGINES, measure_engine
from benchmarks.suite.table import machine, render


def main() -> int:
    """Measure the chosen engines one after the other and print a table for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="default: all three")
    parser.add_argument("--runs", type=int, default=20_000, help="runs drained per round (default 20000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per figure (default 5)")
    parser.add_argument("--large", action="store_true", help="also drain beside many finished rows")
    parser.add_argument("--rows", type=int, default=10_000_000, help="finished rows for --large")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    print(machine(), flush=True)
    results = {}
    for engine in options.engine or ENGINES:
        large_rows = options.rows if options.large else 0
        results[engine] = measure_engine(engine, options.runs, options.rounds, large_rows)
        print(render(engine, results[engine]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

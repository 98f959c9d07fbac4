"""`make bench PEERS=1`: Lodger beside PGQueuer, Procrastinate and Huey, turn by turn in random order.

    python -m benchmarks.peers [--runs 5000] [--ones 500] [--rounds 5] [--json FILE]

Every system has a database of its own in the same server, emptied by being new each round; default durability. The
figure is the median of the rounds; "x" is the median of Lodger's figure divided by the peer's, round by round.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite.table import machine
from tools.servers import PostgreSQL

HERE = Path(__file__).parent
HOME = Path("build/peers")
WHATS = {"one": "enqueue one at a time", "bulk": "enqueue 1000 at once", "drain": "drain, async no-op"}


@dataclass(frozen=True)
class Side:
    """A system under measurement; no ``pins``: the project itself."""

    name: str
    script: str
    pins: tuple[str, ...] = ()

    def python(self) -> str:
        """Return its interpreter, its environment made when missing."""
        if not self.pins:
            return sys.executable
        home = HOME / self.name.lower()
        python = home / "bin" / "python"
        if not python.exists():
            print(f"  installing {' '.join(self.pins)}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *self.pins], check=True)
        return str(python)

    def measure(self, what: str, count: int, url: str) -> float:
        """Return the rate per second that its script prints."""
        done = subprocess.run(
            [self.python(), str(HERE / self.script), what, str(count)],
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if not done.stdout.strip():  # the drain of a peer ends by a signal, after it has said its figure
            raise SystemExit(f"{self.name}, {what}: {done.stderr[-2000:]}")
        return float(done.stdout.split()[0])


LODGER = Side("Lodger", "side_lodger.py")
PEERS = {
    "postgresql": (
        Side("PGQueuer", "side_pgqueuer.py", ("pgqueuer[asyncpg]==1.6.0", "uvloop==0.23.0")),
        Side("Procrastinate", "side_procrastinate.py", ("procrastinate==3.10.0", "psycopg[binary]==3.3.9")),
    ),
    "sqlite": (Side("Huey", "side_huey.py", ("huey==3.5.4",)),),
}


@contextmanager
def databases(engine: str) -> Iterator[Iterator[str]]:
    """Yield an endless row of new databases."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield (f"sqlite:///{folder}/{number}.db" for number in range(10**6))
        return
    with PostgreSQL(buffer_mb=512) as server:
        yield (server.create_database(f"bench_{number}") for number in range(10**6))


def compare(engine: str, runs: int, ones: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the figures by what was measured and by system."""
    sides = [LODGER, *PEERS[engine]]
    seen: dict[str, dict[str, list[float]]] = {what: {side.name: [] for side in sides} for what in WHATS}
    with databases(engine) as urls:
        for turn in range(rounds):
            for what in WHATS:
                for side in random.sample(sides, len(sides)):
                    seen[what][side.name].append(side.measure(what, ones if what == "one" else runs, next(urls)))
            print(f"  {engine}: round {turn + 1} of {rounds}", file=sys.stderr)
    return seen


def render(engine: str, seen: dict[str, dict[str, list[float]]]) -> str:
    """Return the table of one engine."""
    peers = [side.name for side in PEERS[engine]]
    lines = [f"| {engine} | Lodger /s | " + " | ".join(f"{name} /s | x" for name in peers) + " |"]
    lines.append("|---|---:|" + "---:|---:|" * len(peers))
    for what, figures in seen.items():
        cells = [f"{statistics.median(figures['Lodger']):,.0f}"]
        for name in peers:
            ratios = [ours / theirs for ours, theirs in zip(figures["Lodger"], figures[name], strict=True)]
            cells += [f"{statistics.median(figures[name]):,.0f}", f"{statistics.median(ratios):.2f}"]
        lines.append(f"| {WHATS[what]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--engine", action="append", choices=list(PEERS))
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--ones", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    print(machine(), flush=True)
    results = {}
    for engine in options.engine or PEERS:
        results[engine] = compare(engine, options.runs, options.ones, options.rounds)
        print("\n" + render(engine, results[engine]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

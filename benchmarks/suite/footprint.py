"""Footprint: memory of an idle worker, idle CPU, import time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.suite.bench import Bench, median, worker
from benchmarks.suite.jobs import nothing

IDLE_SECONDS = 20


def measure(bench: Bench) -> None:
    """Look at a worker that has nothing to do, and at `import lodger`."""
    bench.clear()
    with worker(bench, queues="async") as process:
        nothing.enqueue(1).result(timeout=60)
        time.sleep(3)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        before = sum(sum(one.cpu_times()[:2]) for one in family)
        start = time.monotonic()
        time.sleep(IDLE_SECONDS)
        used = sum(sum(one.cpu_times()[:2]) for one in family) - before
        bench.add(
            "idle worker, memory (RSS), supervisor + engine", sum(one.memory_info().rss for one in family) / 2**20, "MB"
        )
        bench.add("idle worker, memory (PSS), supervisor + engine", sum(_pss(one.pid) for one in family) / 2**20, "MB")
        bench.add("idle worker, CPU", 100 * used / (time.monotonic() - start), "% of a core")
    bench.add("import lodger", median([_import_ms() for _ in range(7)]), "ms")


def _pss(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _import_ms() -> float:
    code = "import time; t = time.perf_counter(); import lodger; print((time.perf_counter() - t) * 1000)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    return float(done.stdout)

"""Lodger's side: `python side_lodger.py one|bulk|drain COUNT`, with DATABASE_URL; drains with 100 slots."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from lodger import Lodger

sys.path.insert(0, str(Path(__file__).parent))
from clock import Clock, rate

lodger = Lodger(app="side_lodger:lodger")
clock = Clock(int(os.environ.get("PEER_TOTAL", "1")))


@lodger.job()
async def nothing(number: int) -> None:
    """Do nothing."""
    clock.tick()


def main(what: str, count: int) -> None:
    """Do one measurement and print its rate."""
    lodger.migrate()
    nothing.using(queue="elsewhere").enqueue(0)  # imports and connections belong to no figure
    start = time.perf_counter()
    if what == "one":
        for number in range(count):
            nothing.enqueue(number)
        rate(count, time.perf_counter() - start)
        return
    for first in range(0, count, 1000):
        lodger.enqueue_many([nothing.call(number) for number in range(first, min(first + 1000, count))])
    if what == "bulk":
        rate(count, time.perf_counter() - start)
        return
    command = [sys.executable, "-c", "from lodger.cli import main; main()", "worker"]
    command += ["--concurrency", "100", "--queues", "default"]
    environment = {**os.environ, "PEER_TOTAL": str(count), "LODGER_APP": "side_lodger:lodger"}
    worker = subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert worker.stdout is not None
    print(worker.stdout.readline().decode().strip(), flush=True)
    worker.kill()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

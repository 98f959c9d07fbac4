"""Huey's side (SQLite with its defaults, one greenlet-free worker thread): `python side_huey.py one|bulk|drain COUNT`.

It has no bulk enqueue: that figure is its single one.
"""

from __future__ import annotations

import os
import sys
import time

from clock import Clock, rate
from huey import SqliteHuey

huey = SqliteHuey("bench", filename=os.environ["DATABASE_URL"].removeprefix("sqlite:///"), results=False)
clock = Clock(int(sys.argv[2]))


@huey.task()
def nothing(number: int) -> None:
    """Do nothing."""
    clock.tick()


def main(what: str, count: int) -> None:
    """Do one measurement and print its rate."""
    start = time.perf_counter()
    for number in range(count):
        nothing(number)
    if what != "drain":
        rate(count, time.perf_counter() - start)
        return
    huey.create_consumer(workers=1, initial_delay=0.01, max_delay=0.05).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""PGQueuer's side (asyncpg, uvloop, batches of 100): `python side_pgqueuer.py one|bulk|drain COUNT`."""

from __future__ import annotations

import os
import sys
import time

import asyncpg
import uvloop
from clock import Clock, rate
from pgqueuer import PgQueuer
from pgqueuer.queries import Queries


async def main(what: str, count: int) -> None:
    """Do one measurement and print its rate."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    queries = Queries.from_asyncpg_connection(connection)
    if not await queries.schema_is_installed():
        await queries.install()
    start = time.perf_counter()
    if what == "one":
        for number in range(count):
            await queries.enqueue("nothing", str(number).encode())
        rate(count, time.perf_counter() - start)
        return
    for first in range(0, count, 1000):
        size = min(1000, count - first)
        await queries.enqueue(["nothing"] * size, [str(number).encode() for number in range(size)], [0] * size)
    if what == "bulk":
        rate(count, time.perf_counter() - start)
        return
    queue = PgQueuer.from_asyncpg_connection(connection)
    clock = Clock(count)

    @queue.entrypoint("nothing")
    async def nothing(job: object) -> None:
        clock.tick()

    await queue.run(batch_size=100)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))

"""Procrastinate's side (psycopg, 100 at once): `python side_procrastinate.py one|bulk|drain COUNT`."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import procrastinate
from clock import Clock, rate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
clock = Clock(int(sys.argv[2]))


@app.task(name="nothing")
async def nothing(number: int) -> None:
    """Do nothing."""
    clock.tick()


async def main(what: str, count: int) -> None:
    """Do one measurement and print its rate."""
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        start = time.perf_counter()
        if what == "one":
            for number in range(count):
                await nothing.defer_async(number=number)
            rate(count, time.perf_counter() - start)
            return
        for first in range(0, count, 1000):
            await nothing.batch_defer_async(*({"number": number} for number in range(first, min(first + 1000, count))))
        if what == "bulk":
            rate(count, time.perf_counter() - start)
            return
        await app.run_worker_async(concurrency=100, wait=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

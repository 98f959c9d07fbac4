"""The jobs that are measured: they do nothing, so that what is left is Lodger."""

from __future__ import annotations

import time

from lodger import Lodger

lodger = Lodger(app="benchmarks.suite.jobs:lodger")


@lodger.job(queue="async")
async def nothing(number: int) -> None:
    """Do nothing on the event loop."""


@lodger.job(queue="thread")
def nothing_in_thread(number: int) -> None:
    """Do nothing in a thread."""


@lodger.job(queue="pickup")
async def picked_up(sent: float) -> float:
    """Return the seconds from the call of enqueue (in another process of this host) to here."""
    return time.time() - sent

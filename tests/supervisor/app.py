"""Jobs to tell apart, importable as `tests.supervisor.app:lodger`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lodger import Lodger

lodger = Lodger(app="tests.supervisor.app:lodger")


@lodger.job()
async def alpha() -> str:
    return "alpha"


@lodger.job(executor="process")
def beta() -> str:
    return "beta"


@lodger.job(embeddable=False)
async def gamma() -> str:
    return "gamma"


@lodger.job()
async def patient(path: str) -> None:
    """Go on until the file is there."""
    while not Path(path).exists():  # noqa: ASYNC110, ASYNC240 - the job waits for a flag of its test
        await asyncio.sleep(0.02)

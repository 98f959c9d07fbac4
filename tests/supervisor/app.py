"""Two jobs to tell apart, importable as `tests.supervisor.app:lodger`."""

from __future__ import annotations

from lodger import Lodger

lodger = Lodger(app="tests.supervisor.app:lodger")


@lodger.job()
async def alpha() -> str:
    return "alpha"


@lodger.job(executor="process")
def beta() -> str:
    return "beta"

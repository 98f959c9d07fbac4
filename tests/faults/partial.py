"""An older release of the app: it does not know most of the jobs yet."""

from __future__ import annotations

from lodger import Lodger

lodger = Lodger(app="tests.faults.partial:lodger")


@lodger.job()
async def noop() -> None:
    """The one job it knows."""

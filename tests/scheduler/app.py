"""An app with a schedule every second for each name in TEST_SCHEDULES; `imported` is in a module that it imports."""

from __future__ import annotations

import os

from lodger import Every, Lodger

lodger = Lodger(app="tests.scheduler.app:lodger", imports=["tests.scheduler.more"])


@lodger.job()
def tick(name: str) -> str:
    """Say which schedule this is for."""
    return name


for name in set(os.environ.get("TEST_SCHEDULES", "").split()) - {"imported"}:
    lodger.schedule(tick.call(name), Every(seconds=1), id=name)

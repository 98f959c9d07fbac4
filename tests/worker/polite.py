"""An app whose only job is named after the niceness of the process that imports it."""

from __future__ import annotations

import os

from lodger import Lodger

lodger = Lodger(app="tests.worker.polite:lodger")


@lodger.job(name=f"nice-{os.nice(0)}")
def tick() -> None:
    pass

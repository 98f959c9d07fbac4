"""An app whose web process enqueues: importable as `tests.doctor.app:lodger`."""

from __future__ import annotations

from lodger import Lodger

lodger = Lodger(app="tests.doctor.app:lodger")


@lodger.job(queue="media")
async def resize(path: str) -> str:
    return path

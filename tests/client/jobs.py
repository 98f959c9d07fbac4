"""Jobs that are enqueued and never run here."""

from __future__ import annotations

from uuid import UUID

import pydantic

from lodger import Lodger, Run


class Receipt(pydantic.BaseModel):
    number: UUID
    cents: int


def resize(path: str, width: int = 100) -> int:
    raise AssertionError("nobody works here")


async def pay(run: Run[None], amount: int) -> Receipt:
    raise AssertionError("nobody works here")


class Jobs:
    """The jobs of one Lodger object."""

    def __init__(self, app: Lodger) -> None:
        self.app = app
        self.resize = app.job(queue="media", priority=2, tags=["image"])(resize)
        self.pay = app.job(on_crash="fail")(pay)

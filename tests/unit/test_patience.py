"""The patience of the app's connection, when the enqueue is cancelled that has changed it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lodger.store import patience
from lodger.store.steps import Step, Steps, adrive


@pytest.mark.parametrize(
    ("dialect", "in_transaction", "last"),
    [("postgresql", False, "roll_back"), ("mysql", True, "set_patience")],
)
def test_a_cancelled_enqueue_leaves_the_app_s_connection_as_it_was(
    dialect: Any, in_transaction: bool, last: str
) -> None:
    """Fails when `adrive` or `bounded` tidy up after errors only: a cancel is none."""
    sent: list[str] = []

    async def answer(step: Step) -> Any:
        sent.append(step.statement.name)
        if step.statement is patience.own_patience:
            return [("0", False, "then")]
        if step.statement is patience.set_patience:
            return [("5s", "then" if in_transaction else "now")]
        if step.statement is patience.commit:  # stands for what is waiting for a lock
            raise asyncio.CancelledError
        return 1

    def waits() -> Steps[None]:
        yield Step(patience.commit, {})

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(adrive(patience.bounded(dialect, waits()), answer))
    assert sent[-1] == last

"""Operations that may run inside the app's own transaction, on the app's own driver.

Such an operation is a generator: it yields a Step and is sent the answer (or thrown the driver's error), so the
same code serves sync and async drivers. ``perform`` drives it over a connection of Lodger's own; contrib doors
drive it over the app's (see ``lodger.store.doors``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from lodger.store.database import Conn
from lodger.store.sql import Statement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. ``answers``: send back its rows (tuples); else how many rows it matched."""

    statement: Statement
    params: Mapping[str, Any]
    answers: bool = False


Steps: TypeAlias = Generator[Step, Any, T]


def perform(conn: Conn, steps: Steps[T]) -> T:
    """Run ``steps`` to their end over ``conn`` and return their value."""

    def answer(step: Step) -> Any:
        run = conn.rows if step.answers else conn.write
        return run(step.statement, **step.params)

    return drive(steps, answer)


def drive(steps: Steps[T], answer: Callable[[Step], Any]) -> T:
    """Send ``steps`` what ``answer`` returns, or throw at them what it raises; return their value."""
    advance: Callable[[Any], Step] = steps.send
    sent: Any = None
    while True:
        try:
            step = advance(sent)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            sent, advance = answer(step), steps.send
        except BaseException as error:  # noqa: BLE001 - the steps raise it, or something that says more
            sent, advance = error, steps.throw


async def adrive(steps: Steps[T], answer: Callable[[Step], Awaitable[Any]]) -> T:
    """As ``drive``, where the answer is awaited."""
    advance: Callable[[Any], Step] = steps.send
    sent: Any = None
    while True:
        try:
            step = advance(sent)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            sent, advance = await answer(step), steps.send
        except BaseException as error:  # noqa: BLE001 - the steps raise it, or something that says more
            sent, advance = error, steps.throw

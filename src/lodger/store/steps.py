"""Operations that may run inside the app's own transaction, on the app's own driver.

Such an operation is a generator: it yields a Step and is sent the answer, so the same code serves sync
and async drivers. ``perform`` drives it over a connection of Lodger's own; contrib doors drive it over
the app's (see ``lodger.store.doors``).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
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
    answer: Any = None
    try:
        while True:
            step = steps.send(answer)
            if step.answers:
                answer = conn.rows(step.statement, **step.params)
            else:
                answer = conn.write(step.statement, **step.params)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]

"""What all doors share: driving the steps, in sync and in async, and checking which database it is."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias, TypeVar

from lodger.errors import InvalidInput
from lodger.store.database import Database
from lodger.store.doors.places import Place, accept, must_ask, where_am_i
from lodger.store.faults import is_table_missing, no_tables
from lodger.store.sql import DialectName, ParamStyle, Statement
from lodger.store.steps import Step, Steps, adrive, drive

T = TypeVar("T")
Bound: TypeAlias = Mapping[str, Any] | tuple[Any, ...]

HELP: Final = "an open connection or session"


class _Base:
    """The app's connection as Lodger uses it: its dialect and how its driver takes parameters."""

    def __init__(self, database: Database, dialect: DialectName, style: ParamStyle, place: Place | None) -> None:
        """Keep what statements are written with; ``place`` is where ``tx`` says it is connected, if it says."""
        if dialect != database.dialect:
            found = place.safe if place else f"a {dialect} connection"
            raise InvalidInput("tx", found, f"a transaction on Lodger's own database {database.url.safe}")
        self.database = database
        self.dialect = dialect
        self._style = style
        self._place = place
        self._doubtful = must_ask(place, database)

    @property
    def held_by_block(self) -> bool:
        """Whether a block of the driver's own holds the transaction, whose end commits or rolls back.

        ``commit`` and ``rollback`` then leave it alone (Django's is marked to be rolled back).
        """
        return False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Tell of tables that are not there what makes them."""
        try:
            yield
        except Exception as error:
            if is_table_missing(self.dialect, error):
                raise no_tables(self.database.url.safe) from error
            raise

    def _bind(self, statement: Statement, params: Mapping[str, Any]) -> tuple[str, Bound]:
        sql, order = statement.render(self.dialect, self.database.tables, self._style)
        if self._style in {"named", "pyformat"}:
            return sql, params
        return sql, tuple(params[name] for name in order)


class SyncDoor(_Base, ABC):
    """Runs steps on a sync connection of the app's."""

    is_async: Literal[False] = False

    def run(self, steps: Steps[T]) -> T:
        """Run ``steps`` to their end in the app's transaction and return their value."""
        if self._doubtful:
            self._doubtful = False
            accept(self._place, self._answer(Step(where_am_i, {}, answers=True)), self.database)
        return drive(steps, self._answer)

    def _answer(self, step: Step) -> Any:
        sql, bound = self._bind(step.statement, step.params)
        with self._explained():
            return self._rows(sql, bound) if step.answers else self._write(sql, bound)

    @abstractmethod
    def _rows(self, sql: str, bound: Bound) -> Sequence[Sequence[Any]]:
        """Run a statement that answers rows; return them, indexable by position."""

    @abstractmethod
    def _write(self, sql: str, bound: Bound) -> int:
        """Run a statement that writes; return how many rows it matched."""

    @abstractmethod
    def commit(self) -> None:
        """Commit the app's transaction, unless a block of the driver's own will."""

    @abstractmethod
    def rollback(self) -> None:
        """Roll the app's transaction back, unless a block of the driver's own will."""


class AsyncDoor(_Base, ABC):
    """Runs steps on an async connection of the app's."""

    is_async: Literal[True] = True

    async def run(self, steps: Steps[T]) -> T:
        """Run ``steps`` to their end in the app's transaction and return their value."""
        if self._doubtful:
            self._doubtful = False
            answer = await self._answer(Step(where_am_i, {}, answers=True))
            await asyncio.to_thread(accept, self._place, answer, self.database)  # it may ask Lodger's own
        return await adrive(steps, self._answer)

    async def _answer(self, step: Step) -> Any:
        sql, bound = self._bind(step.statement, step.params)
        with self._explained():
            return await (self._rows(sql, bound) if step.answers else self._write(sql, bound))

    @abstractmethod
    async def _rows(self, sql: str, bound: Bound) -> Sequence[Sequence[Any]]:
        """Run a statement that answers rows; return them, indexable by position."""

    @abstractmethod
    async def _write(self, sql: str, bound: Bound) -> int:
        """Run a statement that writes; return how many rows it matched."""

    @abstractmethod
    async def commit(self) -> None:
        """Commit the app's transaction, unless a block of the driver's own will."""

    @abstractmethod
    async def rollback(self) -> None:
        """Roll the app's transaction back, unless a block of the driver's own will."""


Door: TypeAlias = SyncDoor | AsyncDoor


def name_of(tx: object) -> str:
    """Return what ``tx`` is, for people; never its repr, which may hold a password."""
    return f"{type(tx).__module__}.{type(tx).__qualname__}"


def refuse_closed(tx: object, closed: object) -> None:
    """Raise InvalidInput when ``tx`` is ``closed``."""
    if closed:
        raise InvalidInput("tx", f"closed {name_of(tx)}", HELP)

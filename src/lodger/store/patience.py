"""How long the app's own transaction waits for a lock while Lodger works in it; afterwards it is as before.

An INSERT whose unique key another transaction has inserted, but not committed, waits for that one's end. On
PostgreSQL that is for ever unless somebody says otherwise, on MariaDB and MySQL 50 seconds.
"""

from __future__ import annotations

from typing import Any, TypeVar

from lodger.errors import LodgerError
from lodger.store.database import WAIT_SECONDS
from lodger.store.sql import DialectName, Terms, statement
from lodger.store.steps import Step, Steps

T = TypeVar("T")


def bounded(dialect: DialectName, steps: Steps[T]) -> Steps[T]:
    """Run ``steps`` with WAIT_SECONDS of patience, or the app's own if it has less."""
    ((before, is_less, began),) = yield Step(own_patience, {}, answers=True)
    if is_less:
        return (yield from steps)
    if dialect != "postgresql":
        yield Step(set_patience, {"patience": WAIT_SECONDS})
        return (yield from _restoring(dialect, before, steps))
    ((_, now),) = yield Step(set_patience, {"patience": f"{WAIT_SECONDS}s"}, answers=True)
    if now == began:
        return (yield from _restoring(dialect, before, steps))
    return (yield from _in_one_transaction(steps))


def _restoring(dialect: DialectName, before: Any, steps: Steps[T]) -> Steps[T]:
    restore = Step(set_patience, {"patience": before}, answers=dialect == "postgresql")
    try:
        value = yield from steps
    except BaseException as error:
        # After an error of PostgreSQL's its transaction can only be rolled back, and the setting with it.
        if dialect != "postgresql" or isinstance(error, LodgerError):
            yield restore
        raise
    yield restore
    return value


def _in_one_transaction(steps: Steps[T]) -> Steps[T]:
    """The app's connection is in autocommit mode, where what is set for a transaction is over with its statement.

    And what is set for longer may be set for somebody else: behind a pooler each statement may go elsewhere.
    """
    yield Step(begin, {})
    try:
        yield Step(set_patience, {"patience": f"{WAIT_SECONDS}s"}, answers=True)
        value = yield from steps
    except BaseException:
        yield Step(roll_back, {})
        raise
    yield Step(commit, {})
    return value


@statement
def own_patience(t: Terms) -> str:
    """How long the app's transaction waits, whether that is no longer than ours, and when it began.

    PostgreSQL, MariaDB, MySQL; the beginning is PostgreSQL's alone.
    """
    if t.dialect == "mysql":
        name = "@@SESSION.innodb_lock_wait_timeout"
        return f"SELECT {name}, {name} <= {WAIT_SECONDS}, NULL"
    return f"""
SELECT current_setting('lock_timeout'),
  CAST(current_setting('lock_timeout') AS interval) BETWEEN interval '1 ms' AND interval '{WAIT_SECONDS} s',
  now()"""


@statement
def set_patience(t: Terms) -> str:
    """Change it, on PostgreSQL for this transaction, and say when that began (PostgreSQL, MariaDB, MySQL)."""
    if t.dialect == "mysql":
        return "SET SESSION innodb_lock_wait_timeout = :patience"
    return "SELECT set_config('lock_timeout', :patience, true), now()"


@statement
def begin(_: Terms) -> str:
    """Begin a transaction on a connection in autocommit mode (PostgreSQL)."""
    return "BEGIN"


@statement
def commit(_: Terms) -> str:
    """End it."""
    return "COMMIT"


@statement
def roll_back(_: Terms) -> str:
    """End it, and nothing was."""
    return "ROLLBACK"

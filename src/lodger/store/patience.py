"""How long the app's own transaction waits for a lock while Lodger works in it; afterwards it is as before.

An INSERT whose unique key another transaction has inserted, but not committed, waits for that one's end. On
PostgreSQL that is for ever unless somebody says otherwise, on MariaDB and MySQL 50 seconds.
"""

from __future__ import annotations

from typing import Any, TypeVar

from lodger.errors import LodgerError
from lodger.store.database import WAIT_SECONDS
from lodger.store.sql import DialectName, Statement, Terms, statement
from lodger.store.steps import Step, Steps

T = TypeVar("T")


def bounded(dialect: DialectName, steps: Steps[T]) -> Steps[T]:
    """Run ``steps`` with WAIT_SECONDS of patience, or the app's own if it has less."""
    ((before, is_less, began),) = yield Step(own_patience, {}, answers=True)
    if is_less:
        return (yield from steps)
    change = yield from _change(dialect, began)
    restore = Step(change, {"patience": before}, answers=dialect == "postgresql")
    try:
        value = yield from steps
    except Exception as error:
        # After an error of PostgreSQL's its transaction can only be rolled back, and the setting with it.
        if change is not set_patience or dialect != "postgresql" or isinstance(error, LodgerError):
            yield restore
        raise
    yield restore
    return value


def _change(dialect: DialectName, began: Any) -> Steps[Statement]:
    """Set our patience; return the statement that does so, which is also the one that takes it back."""
    if dialect != "postgresql":
        yield Step(set_patience, {"patience": WAIT_SECONDS})
        return set_patience
    ours = {"patience": f"{WAIT_SECONDS}s"}
    ((_, now),) = yield Step(set_patience, ours, answers=True)
    if now == began:
        return set_patience
    # In autocommit mode each statement is a transaction of its own: what was set for that is over already.
    yield Step(set_session_patience, ours, answers=True)
    return set_session_patience


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
def set_session_patience(_: Terms) -> str:
    """Change it until it is changed again (PostgreSQL)."""
    return "SELECT set_config('lock_timeout', :patience, false), now()"

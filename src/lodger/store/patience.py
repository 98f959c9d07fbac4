"""How long the app's own transaction waits for a lock while Lodger works in it; afterwards it is as before.

An INSERT whose unique key another transaction has inserted, but not committed, waits for that one's end. On
PostgreSQL that is for ever unless somebody says otherwise, on MariaDB and MySQL 50 seconds.
"""

from __future__ import annotations

from typing import TypeVar

from lodger.errors import LodgerError
from lodger.store.database import WAIT_SECONDS
from lodger.store.sql import DialectName, Terms, statement
from lodger.store.steps import Step, Steps

T = TypeVar("T")


def bounded(dialect: DialectName, steps: Steps[T]) -> Steps[T]:
    """Run ``steps`` with WAIT_SECONDS of patience, or the app's own if it has less."""
    rows = yield Step(own_patience, {}, answers=True)
    before, is_less = rows[0]
    if is_less:
        return (yield from steps)
    yield Step(set_patience, {"patience": f"{WAIT_SECONDS}s" if dialect == "postgresql" else WAIT_SECONDS})
    restore = Step(set_patience, {"patience": before})
    try:
        value = yield from steps
    except Exception as error:
        # After an error of PostgreSQL's the transaction can only be rolled back, and the setting with it.
        if dialect != "postgresql" or isinstance(error, LodgerError):
            yield restore
        raise
    yield restore
    return value


@statement
def own_patience(t: Terms) -> str:
    """How long the app's transaction waits, and whether that is no longer than ours (PostgreSQL, MariaDB, MySQL)."""
    if t.dialect == "mysql":
        name = "@@SESSION.innodb_lock_wait_timeout"
        return f"SELECT {name}, {name} <= {WAIT_SECONDS}"
    return f"""
SELECT current_setting('lock_timeout'),
  CAST(current_setting('lock_timeout') AS interval) BETWEEN interval '1 ms' AND interval '{WAIT_SECONDS} s'"""


@statement
def set_patience(t: Terms) -> str:
    """Change it, on PostgreSQL for this transaction (PostgreSQL, MariaDB, MySQL)."""
    if t.dialect == "mysql":
        return "SET SESSION innodb_lock_wait_timeout = :patience"
    return "SELECT set_config('lock_timeout', :patience, true)"

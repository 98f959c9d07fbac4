"""What database errors mean. Those that pass by themselves are worth repeating the whole transaction.

PostgreSQL by SQLSTATE (Appendix A of its manual), MariaDB and MySQL by error number, SQLite by name.
"""

from __future__ import annotations

from typing import Any, Final

from lodger.errors import SchemaError
from lodger.store.sql import DialectName

MIGRATE: Final = "run 'lodger migrate' (or set LODGER_MIGRATE=1)"

# serialization, deadlock, lock timeout, shutdown and start of the server, idle for too long, read-only;
# as classes: connection, resources
POSTGRESQL_STATES: Final = ("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "25P03", "25006")
POSTGRESQL_CLASSES: Final = ("08", "53")
# deadlock, lock wait, record changed, too many connections, read only, server gone, lost in query, shutdown, idle
MYSQL_NUMBERS: Final = frozenset(
    {1213, 1205, 1020, 1040, 1053, 1290, 1836, 2002, 2003, 2006, 2013, 2055, 3572, 1927, 4031}
)
SQLITE_WORDS: Final = (
    "locked",
    "busy",
    "readonly",
    "read-only",
    "read only",
    "disk is full",
    "disk i/o error",
    "unable to open",
)


def is_transient(dialect: DialectName, error: BaseException) -> bool:
    """Whether the same transaction may succeed later."""
    root: Any = getattr(error, "orig", None) or error
    match dialect:
        case "postgresql":
            return _postgresql(root)
        case "mysql":
            number = root.args[0] if root.args else None
            return number in MYSQL_NUMBERS or (number == 0 and type(root).__name__ == "InterfaceError")
        case "sqlite":
            text = str(root).lower()
            return type(root).__name__ == "OperationalError" and any(word in text for word in SQLITE_WORDS)


def is_lock_timeout(dialect: DialectName, error: BaseException) -> bool:
    """Whether a server gave up waiting for a lock. ``error`` may be wrapped by SQLAlchemy or Django."""
    for one in (error, getattr(error, "orig", None), error.__cause__):
        if dialect == "postgresql" and "55P03" in (getattr(one, "sqlstate", None), getattr(one, "pgcode", None)):
            return True
        if dialect == "mysql" and isinstance(one, Exception) and one.args[:1] == (1205,):
            return True
    return False


def is_table_missing(dialect: DialectName, error: BaseException) -> bool:
    """Whether a table is not there. ``error`` may be wrapped by SQLAlchemy or Django."""
    causes: tuple[Any, ...] = (error, getattr(error, "orig", None), error.__cause__)
    match dialect:
        case "postgresql":
            return any("42P01" in (getattr(one, "sqlstate", None), getattr(one, "pgcode", None)) for one in causes)
        case "mysql":
            return any(getattr(one, "args", ())[:1] == (1146,) for one in causes)
        case "sqlite":
            return any(str(one).startswith("no such table") for one in causes)


def no_tables(place: str) -> SchemaError:
    """Return the error of a database (its URL without the password) that has no tables of Lodger's."""
    return SchemaError(f"{place} has no Lodger tables: {MIGRATE}")


def _postgresql(error: Any) -> bool:
    state = getattr(error, "sqlstate", None)
    if state is None:  # psycopg raises OperationalError without a state when the connection broke
        return type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout", "AdminShutdown"}
    return state in POSTGRESQL_STATES or state[:2] in POSTGRESQL_CLASSES

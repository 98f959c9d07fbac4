"""Which database errors pass by themselves."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pymysql
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import OperationalError

from lodger.store.faults import is_transient

PASSING: list[tuple[Any, Exception]] = [
    ("postgresql", pg.SerializationFailure()),
    ("postgresql", pg.DeadlockDetected()),
    ("postgresql", pg.LockNotAvailable()),
    ("postgresql", pg.AdminShutdown()),
    ("postgresql", pg.CrashShutdown()),
    ("postgresql", pg.CannotConnectNow()),
    ("postgresql", pg.ReadOnlySqlTransaction()),
    ("postgresql", pg.IdleSessionTimeout()),
    ("postgresql", pg.IdleInTransactionSessionTimeout()),
    ("postgresql", pg.DiskFull()),
    ("postgresql", pg.TooManyConnections()),
    ("postgresql", pg.ConnectionFailure()),
    ("postgresql", psycopg.OperationalError("server closed the connection unexpectedly")),
    ("postgresql", psycopg.InterfaceError("connection already closed")),
    ("mysql", pymysql.OperationalError(1213, "Deadlock found")),
    ("mysql", pymysql.OperationalError(1205, "Lock wait timeout exceeded")),
    ("mysql", pymysql.OperationalError(1020, "Record has changed since last read")),
    ("mysql", pymysql.OperationalError(1040, "Too many connections")),
    ("mysql", pymysql.OperationalError(1290, "running with the --read-only option")),
    ("mysql", pymysql.OperationalError(1836, "Running in read-only mode")),
    ("mysql", pymysql.OperationalError(2003, "Can't connect")),
    ("mysql", pymysql.OperationalError(2006, "MySQL server has gone away")),
    ("mysql", pymysql.OperationalError(2013, "Lost connection during query")),
    ("mysql", pymysql.OperationalError(1927, "Connection was killed")),
    ("mysql", pymysql.OperationalError(4031, "disconnected by the server because of inactivity")),
    ("mysql", pymysql.InterfaceError(0, "")),
    ("sqlite", sqlite3.OperationalError("database is locked")),
    ("sqlite", sqlite3.OperationalError("database table is locked")),
    ("sqlite", sqlite3.OperationalError("database is busy")),
    ("sqlite", sqlite3.OperationalError("attempt to write a readonly database")),
    ("sqlite", sqlite3.OperationalError("database or disk is full")),
    ("sqlite", sqlite3.OperationalError("disk I/O error")),
    ("sqlite", sqlite3.OperationalError("unable to open database file")),
]
LASTING: list[tuple[Any, Exception]] = [
    ("postgresql", pg.UniqueViolation()),
    ("postgresql", pg.CheckViolation()),
    ("postgresql", pg.UndefinedTable()),
    ("postgresql", pg.SyntaxError()),
    ("postgresql", pg.InsufficientPrivilege()),
    ("postgresql", pg.StringDataRightTruncation()),
    ("postgresql", pg.InFailedSqlTransaction()),
    ("postgresql", psycopg.DataError("NUL")),
    ("postgresql", ValueError()),
    ("mysql", pymysql.IntegrityError(1062, "Duplicate entry")),
    ("mysql", pymysql.ProgrammingError(1146, "Table doesn't exist")),
    ("mysql", pymysql.ProgrammingError(1064, "You have an error in your SQL syntax")),
    ("mysql", pymysql.DataError(1406, "Data too long")),
    ("mysql", pymysql.OperationalError(1045, "Access denied")),
    ("mysql", pymysql.OperationalError(1054, "Unknown column")),
    ("mysql", pymysql.OperationalError(4025, "CONSTRAINT failed")),
    ("mysql", pymysql.OperationalError()),
    ("mysql", KeyError()),
    ("sqlite", sqlite3.IntegrityError("CHECK constraint failed")),
    ("sqlite", sqlite3.OperationalError("no such table: lodger_run")),
    ("sqlite", sqlite3.OperationalError('near "x": syntax error')),
    ("sqlite", sqlite3.DatabaseError("file is not a database")),
    ("sqlite", sqlite3.ProgrammingError("Cannot operate on a closed database.")),
    ("sqlite", RuntimeError("the door is locked")),
]


def name(case: object) -> str:
    """A readable test id."""
    return case if isinstance(case, str) else f"{type(case).__name__} {case}".strip()


@pytest.mark.parametrize(("dialect", "error"), PASSING, ids=name)
def test_a_fault_that_passes_is_repeated(dialect: Any, error: Exception) -> None:
    """Lock conflicts, lost connections, servers that restart, disks that are full for a while."""
    assert is_transient(dialect, error)


@pytest.mark.parametrize(("dialect", "error"), LASTING, ids=name)
def test_a_fault_that_stays_is_not_repeated(dialect: Any, error: Exception) -> None:
    """Repeating a mistake hides it and holds up the others."""
    assert not is_transient(dialect, error)


@pytest.mark.parametrize(("dialect", "error"), [PASSING[0], PASSING[14], PASSING[26]], ids=name)
def test_sqlalchemy_s_wrapper_is_looked_through(dialect: Any, error: Exception) -> None:
    """Connecting goes through SQLAlchemy, which wraps what the driver raises."""
    assert is_transient(dialect, OperationalError("connect", None, error))

"""Numbered migrations: apply what is missing, at most one migrator at a time, safe to repeat.

Each migration is one transaction, which begins by waiting its turn and then looks again what is missing:

    PostgreSQL       a lock of the transaction's own, which works behind a pooler in transaction mode too
    MariaDB, MySQL   a named lock of the session, since their DDL ends transactions
    SQLite           the one writer that there can be

Every statement can be run twice, so a migration that died half-way on an engine without transactional
DDL (MariaDB, MySQL) is finished by running it again. The version is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from lodger.errors import SchemaError
from lodger.failpoints import failpoint
from lodger.store.database import Conn, Database
from lodger.store.faults import MIGRATE, is_lock_timeout, no_tables
from lodger.store.migrations import m0001_runs, m0002_schedules
from lodger.store.migrations.types import column, table
from lodger.store.sql import Terms, statement

LOCK_SECONDS: Final = 60
ADVISORY_KEY: Final = 0x6C6F64676572  # "lodger" in ASCII
BUSY: Final = f"somebody else has been migrating this database for {LOCK_SECONDS} s: look what it waits for, try again"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    statements: Callable[[Terms], list[str]]


MIGRATIONS: Final = tuple(Migration(module.VERSION, module.statements) for module in (m0001_runs, m0002_schedules))
LATEST: Final = MIGRATIONS[-1].version


@statement
def _version(t: Terms) -> str:
    return f"SELECT value FROM {t.meta} WHERE name = 'schema_version'"


@statement
def _meta_exists(t: Terms) -> str:
    match t.dialect:
        case "postgresql":
            # Not to_regclass, which within a transaction may not see what others have created since it began.
            schema = f"= '{t.tables.schema}'" if t.tables.schema else "= ANY (current_schemas(false))"
            return (
                "SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n\n"
                f"  ON n.oid = c.relnamespace WHERE c.relname = '{t.tables.prefix}meta' AND n.nspname {schema}"
            )
        case "mysql":
            return (
                "SELECT table_name FROM information_schema.tables "
                f"WHERE table_schema = DATABASE() AND table_name = '{t.meta}'"
            )
        case "sqlite":
            return f"SELECT name FROM sqlite_master WHERE type = 'table' AND name = '{t.meta}'"


def version(conn: Conn) -> int:
    """Return the version of the tables that exist; 0 when there are none."""
    if conn.value(_meta_exists) is None:
        return 0
    return int(conn.value(_version) or 0)


def check(database: Database) -> None:
    """Raise SchemaError, naming the command, unless the tables are what this release expects."""
    with database.connect() as conn:
        found = version(conn)
    if found < LATEST:
        raise missing(database, found)
    _refuse_newer(database, found)


def missing(database: Database, found: int = 0) -> SchemaError:
    """Return the error of tables that are not there, or older than this release's, naming the command."""
    if found == 0:
        return no_tables(database.url.safe)
    return SchemaError(f"{database.url.safe} has Lodger's schema {found}, this release needs {LATEST}: {MIGRATE}")


def _refuse_newer(database: Database, found: int) -> None:
    """Raise SchemaError when the tables are newer than the next release's, which leaves this one working."""
    if found > LATEST + 1:
        raise SchemaError(
            f"{database.url.safe} has Lodger's schema {found}, this release knows {LATEST} and works with "
            f"{LATEST + 1} at most: upgrade lodger"
        )


def migrate(database: Database) -> list[int]:
    """Bring the tables to the latest version; return the versions applied (none: nothing to do)."""
    with database.connect() as conn:
        found = version(conn)
        _refuse_newer(database, found)
        if found >= LATEST:
            return []
        with _named_lock(conn):
            return [migration.version for migration in MIGRATIONS if _apply(conn, migration)]


def script(database: Database) -> str:
    """Return all migrations as SQL text, for people who apply changes by hand."""
    terms = Terms(database.dialect, database.tables)
    parts = []
    for migration in MIGRATIONS:
        parts.append(f"-- version {migration.version}")
        parts.extend(f"{line};" for line in _lines(terms, migration))
    return "\n\n".join(parts) + "\n"


def _apply(conn: Conn, migration: Migration) -> bool:
    """Run a migration unless it has been run meanwhile; whether it was us."""
    with conn.transaction():
        _wait_for_turn(conn)
        if version(conn) >= migration.version:
            return False
        *changes, mark = _lines(Terms(conn.dialect, conn.tables), migration)
        for line in changes:
            conn.run(line)
        failpoint("migrate.before_version")
        conn.run(mark)
        return True


def _lines(t: Terms, migration: Migration) -> list[str]:
    """Return all statements of a migration, the one that marks it as done last."""
    first = _meta_statements(t) if migration is MIGRATIONS[0] else []
    value = "VALUES(value)" if t.dialect == "mysql" else "excluded.value"
    on_conflict = "ON DUPLICATE KEY UPDATE" if t.dialect == "mysql" else "ON CONFLICT (name) DO UPDATE SET"
    mark = f"INSERT INTO {t.meta} (name, value) VALUES ('schema_version', '{migration.version}')"
    return [*first, *migration.statements(t), f"{mark} {on_conflict} value = {value}"]


def _meta_statements(t: Terms) -> list[str]:
    schema = [f"CREATE SCHEMA IF NOT EXISTS {t.tables.schema}"] if t.tables.schema else []
    columns = [column(t.dialect, "name", "name", "NOT NULL"), column(t.dialect, "value", "text", "NOT NULL")]
    return [*schema, table(t.dialect, t.meta, columns, "name")]


def _wait_for_turn(conn: Conn) -> None:
    """Wait for another migrator, and give the changes that follow as long to get their locks."""
    if conn.dialect != "postgresql":
        return
    conn.run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    try:
        conn.run(f"SELECT pg_advisory_xact_lock({ADVISORY_KEY})")
    except Exception as error:
        if is_lock_timeout(conn.dialect, error):
            raise SchemaError(BUSY) from error
        raise


@contextmanager
def _named_lock(conn: Conn) -> Iterator[None]:
    """Hold MariaDB's and MySQL's lock for migrators of this database, and don't wait for days for a table's."""
    if conn.dialect != "mysql":
        yield
        return
    conn.run(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    if conn.value(_take_lock) != 1:
        raise SchemaError(BUSY)
    try:
        yield
    finally:
        conn.value(_free_lock)
        conn.run("SET SESSION lock_wait_timeout = DEFAULT")


@statement
def _take_lock(t: Terms) -> str:
    """Take the lock of this database's migrators (MariaDB, MySQL)."""
    return f"SELECT GET_LOCK({_lock_name(t)}, {LOCK_SECONDS})"


@statement
def _free_lock(t: Terms) -> str:
    """Let the next migrator in (MariaDB, MySQL)."""
    return f"SELECT RELEASE_LOCK({_lock_name(t)})"


def _lock_name(t: Terms) -> str:
    """Return an expression: the server has one space of names for all databases, of 64 characters each."""
    return f"CONCAT('lodger_', MD5(CONCAT(DATABASE(), '.{t.tables.prefix}')))"

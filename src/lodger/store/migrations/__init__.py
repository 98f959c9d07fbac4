"""Numbered migrations: apply what is missing, at most one migrator at a time, safe to repeat.

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
from lodger.store.migrations import m0001_runs
from lodger.store.migrations.types import column, table
from lodger.store.sql import Terms, statement

LOCK_SECONDS: Final = 60
ADVISORY_KEY: Final = 0x6C6F64676572  # "lodger" in ASCII


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    statements: Callable[[Terms], list[str]]


MIGRATIONS: Final = (Migration(m0001_runs.VERSION, m0001_runs.statements),)
LATEST: Final = MIGRATIONS[-1].version


@statement
def _version(t: Terms) -> str:
    return f"SELECT value FROM {t.meta} WHERE name = 'schema_version'"


@statement
def _first_version(t: Terms) -> str:
    return f"INSERT INTO {t.meta} (name, value) VALUES ('schema_version', :version)"


@statement
def _next_version(t: Terms) -> str:
    return f"UPDATE {t.meta} SET value = :version WHERE name = 'schema_version'"


@statement
def _meta_exists(t: Terms) -> str:
    match t.dialect:
        case "postgresql":
            return f"SELECT to_regclass('{t.meta}')"
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
        what = "has no Lodger tables" if found == 0 else f"has Lodger's schema {found}, this release needs {LATEST}"
        raise SchemaError(f"{database.url.safe} {what}: run 'lodger migrate' (or set LODGER_MIGRATE=1)")
    if found > LATEST + 1:
        raise SchemaError(
            f"{database.url.safe} has Lodger's schema {found}, this release knows {LATEST} and works with "
            f"{LATEST + 1} at most: upgrade lodger"
        )


def migrate(database: Database) -> list[int]:
    """Bring the tables to the latest version; return the versions applied (none: nothing to do)."""
    with database.connect() as conn, _only_migrator(conn):
        _make_meta(conn)
        before = version(conn)
        todo = [migration for migration in MIGRATIONS if migration.version > before]
        for migration in todo:
            _apply(conn, migration)
        return [migration.version for migration in todo]


def script(database: Database) -> str:
    """Return all migrations as SQL text, for people who apply changes by hand."""
    terms = Terms(database.dialect, database.tables)
    parts = [f"{line};" for line in _meta_statements(terms)]
    for migration in MIGRATIONS:
        parts.append(f"-- version {migration.version}")
        parts.extend(f"{line};" for line in migration.statements(terms))
    parts.append(f"INSERT INTO {terms.meta} (name, value) VALUES ('schema_version', '{LATEST}');")
    return "\n\n".join(parts) + "\n"


def _apply(conn: Conn, migration: Migration) -> None:
    terms = Terms(conn.dialect, conn.tables)
    with conn.transaction():
        for line in migration.statements(terms):
            conn.run(line)
        failpoint("migrate.before_version")
        if not conn.write(_next_version, version=str(migration.version)):
            conn.write(_first_version, version=str(migration.version))


def _meta_statements(t: Terms) -> list[str]:
    schema = [f"CREATE SCHEMA IF NOT EXISTS {t.tables.schema}"] if t.tables.schema else []
    columns = [column(t.dialect, "name", "name", "NOT NULL"), column(t.dialect, "value", "text", "NOT NULL")]
    return [*schema, table(t.dialect, t.meta, columns, "name")]


def _make_meta(conn: Conn) -> None:
    with conn.transaction():
        for line in _meta_statements(Terms(conn.dialect, conn.tables)):
            conn.run(line)


@contextmanager
def _only_migrator(conn: Conn) -> Iterator[None]:
    """Hold the database's own lock, so that a second migrator waits and then finds nothing to do."""
    take = {
        "postgresql": f"SELECT pg_advisory_lock({ADVISORY_KEY})",
        "mysql": f"SELECT GET_LOCK('lodger_migrate', {LOCK_SECONDS})",
    }.get(conn.dialect)
    free = {
        "postgresql": f"SELECT pg_advisory_unlock({ADVISORY_KEY})",
        "mysql": "SELECT RELEASE_LOCK('lodger_migrate')",
    }.get(conn.dialect)
    if take is None or free is None:  # SQLite: each step is one transaction of its only writer
        yield
        return
    if conn.dialect == "postgresql":
        conn.run(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    conn.run(take)
    try:
        yield
    finally:
        conn.run(free)
        if conn.dialect == "postgresql":
            conn.run("RESET lock_timeout")

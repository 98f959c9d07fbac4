"""Migrations: applied once whoever comes first, resumed after any statement, refused when they can't be right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.pool import PoolProxiedConnection

from lodger.errors import SchemaError
from lodger.store import inserts, migrations
from lodger.store.database import Conn, Database
from lodger.store.migrations import LATEST, MIGRATIONS, Migration
from lodger.store.sql import Statement, Tables, Terms
from lodger.store.steps import perform
from tests.support.schema import describe
from tests.support.store import new_run, race

VERSIONS = [migration.version for migration in MIGRATIONS]
WIDENED = Migration(
    LATEST + 1,
    lambda t: [f"ALTER TABLE {t.run} ADD COLUMN colour INTEGER", f"CREATE TABLE {t.tables.prefix}paint (id INTEGER)"],
)
"""What the next release may do: the tables of this one stay as they are, but for columns that may be empty."""


class Recorder(Conn):
    """Remembers the changes it was told to make."""

    told: list[str]

    def run(self, sql: str, params: Any = ()) -> None:
        """Run SQL text."""
        self.told.append(sql)
        super().run(sql, params)


class Recording(Database):
    """Lends recorders."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.told: list[str] = []

    def _wrap(self, raw: PoolProxiedConnection) -> Conn:
        made = Recorder(raw, self.dialect, self.tables, super()._wrap(raw)._lock)
        made.told = self.told
        return made


@pytest.fixture
def databases_of(database_url: str) -> Iterator[Any]:
    """Makes Database objects on one database, each with a prefix of its own if asked for."""
    made: list[Database] = []

    def make(prefix: str = "lodger_", kind: type[Database] = Database) -> Database:
        made.append(kind(database_url, tables=Tables(prefix)))
        return made[-1]

    yield make
    for database in made:
        database.dispose()


@pytest.fixture
def database(databases_of: Any) -> Database:
    """An empty database."""
    return databases_of()  # type: ignore[no-any-return]


def lines_of(database: Database) -> list[str]:
    """The statements of the script, one by one."""
    parts = migrations.script(database).split(";\n")
    return ["\n".join(line for line in part.splitlines() if not line.startswith("-- ")).strip() for part in parts[:-1]]


def execute(database: Database, lines: list[str]) -> None:
    """Run statements as somebody would by hand."""
    with database.connect() as conn:
        for line in lines:
            conn.run(line)


def set_version(database: Database, version: int) -> None:
    """Say that the tables have this version."""
    with database.connect() as conn:
        conn.write(Statement(lambda t: f"UPDATE {t.meta} SET value = :v WHERE name = 'schema_version'"), v=str(version))


def test_migrating_twice_does_nothing_the_second_time(database: Database) -> None:
    assert migrations.migrate(database) == VERSIONS
    before = describe(database)
    assert migrations.migrate(database) == []
    assert describe(database) == before
    migrations.check(database)


def test_eight_migrators_at_once_apply_each_version_once(databases_of: Any) -> None:
    """As when eight processes start with LODGER_MIGRATE=1.

    Fails without the second look at the version inside the transaction: each would apply all.
    """
    mine = [databases_of() for _ in range(8)]
    applied = race(8, lambda number: migrations.migrate(mine[number]))
    assert sorted(version for one in applied for version in one) == VERSIONS
    migrations.check(mine[0])


def test_a_migration_that_died_after_any_statement_is_finished_by_the_next(databases_of: Any) -> None:
    """MariaDB commits each change of a table by itself. Fails when a statement can't be run twice."""
    clean = databases_of()
    migrations.migrate(clean)
    expected = describe(clean)
    for done in range(1, len(lines_of(clean)) + 1):
        halfway = databases_of(f"half{done}_")
        execute(halfway, lines_of(halfway)[:done])
        migrations.migrate(halfway)
        assert describe(halfway) == expected, f"after {done} statements"
        migrations.check(halfway)
        halfway.dispose()


def test_the_script_is_what_is_executed(databases_of: Any) -> None:
    """Fails when either has a statement that the other has not."""
    database = databases_of(kind=Recording)
    migrations.migrate(database)
    ours = [line for line in database.told if "lodger_" in line and not line.startswith("SELECT")]
    assert ours == lines_of(database)


def test_the_script_can_be_run_by_hand_twice(databases_of: Any) -> None:
    """By people who do not let programs change tables."""
    by_hand, migrated = databases_of("hand_"), databases_of("auto_")
    for _ in range(2):
        execute(by_hand, lines_of(by_hand))
    migrations.check(by_hand)
    migrations.migrate(migrated)
    assert describe(by_hand) == describe(migrated)
    assert migrations.migrate(by_hand) == []


def test_missing_tables_are_told_with_the_command(database: Database) -> None:
    """By whatever meets them first, with and without an explicit transaction."""
    told = "has no Lodger tables: run 'lodger migrate'"
    with pytest.raises(SchemaError, match=told):
        migrations.check(database)
    with pytest.raises(SchemaError, match=told), database.connect() as conn:
        perform(conn, inserts.insert(conn.dialect, [new_run()]))
    with pytest.raises(SchemaError, match=told):
        database.transact(lambda conn: perform(conn, inserts.insert(conn.dialect, [new_run()])))


def test_the_next_release_s_tables_are_taken_as_they_are(database: Database) -> None:
    """A release can be rolled back without its tables. Fails when `check` wants exactly its own version."""
    migrations.migrate(database)
    set_version(database, LATEST + 1)
    migrations.check(database)
    assert migrations.migrate(database) == []


@pytest.mark.parametrize("do", [migrations.check, migrations.migrate])
def test_tables_of_an_unknown_release_are_refused(database: Database, do: Any) -> None:
    """The text says what is there, what this release knows, and what to do; nothing is touched."""
    migrations.migrate(database)
    set_version(database, LATEST + 2)
    with pytest.raises(SchemaError) as caught:
        do(database)
    told = str(caught.value)
    assert f"schema {LATEST + 2}" in told
    assert f"knows {LATEST}" in told
    assert "upgrade lodger" in told
    assert "password" not in told
    with database.connect() as conn:
        assert migrations.version(conn) == LATEST + 2


def test_the_next_release_asks_for_its_migration(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """And then finds nothing but that one to do."""
    migrations.migrate(database)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, WIDENED))
    monkeypatch.setattr(migrations, "LATEST", WIDENED.version)
    with pytest.raises(SchemaError, match=rf"schema {LATEST}, this release needs {LATEST + 1}: run 'lodger migrate'"):
        migrations.check(database)
    assert migrations.migrate(database) == [WIDENED.version]
    migrations.check(database)


def test_a_failed_migration_is_not_marked_as_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when the version is written first."""
    migrations.migrate(database)
    broken = Migration(LATEST + 1, lambda t: [f"CREATE TABLE {t.tables.prefix}new (id INTEGER)", "NO SQL AT ALL"])
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    monkeypatch.setattr(migrations, "LATEST", broken.version)
    with pytest.raises(Exception, match=r"(?i)syntax"):
        migrations.migrate(database)
    with database.connect() as conn:
        assert migrations.version(conn) == LATEST


def test_two_prefixes_in_one_database_do_not_meet(databases_of: Any) -> None:
    """Two apps of one database: names of tables and indexes carry the prefix."""
    one, two = databases_of("one_"), databases_of("two_")
    assert migrations.migrate(one) == migrations.migrate(two) == VERSIONS
    assert describe(one) == describe(two)
    with one.connect() as conn:
        conn.write(Statement(_drop_runs))
    migrations.check(two)
    with two.connect() as conn:
        assert conn.rows(Statement(lambda t: f"SELECT COUNT(*) FROM {t.run}")) == [(0,)]


def _drop_runs(t: Terms) -> str:
    return f"DROP TABLE {t.run}"

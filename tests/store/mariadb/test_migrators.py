"""The named lock of MariaDB's migrators."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodger.errors import SchemaError
from lodger.store import migrations
from lodger.store.database import Conn, Database
from tests.support.databases import Databases


def take(conn: Conn) -> None:
    """Take the lock as another migrator would."""
    assert conn.value(migrations._take_lock) == 1


def test_a_migrator_that_waits_too_long_says_so_and_changes_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the answer of GET_LOCK is not looked at: both would migrate."""
    database = Database(database_url)
    with database.connect() as other, database.connect() as conn:
        take(other)
        monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
        migrations._take_lock._rendered.clear()
        with pytest.raises(SchemaError, match="somebody else has been migrating"):
            migrations.migrate(database)
        assert migrations.version(conn) == 0
    monkeypatch.undo()
    migrations._take_lock._rendered.clear()
    database.dispose()
    assert migrations.migrate(database)
    database.dispose()


def test_the_lock_is_free_afterwards_and_after_a_failure(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session stays open, in the pool."""
    database = Database(database_url)
    broken = migrations.Migration(1, lambda _: ["NO SQL AT ALL"])
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", (broken,))
        with pytest.raises(Exception, match="syntax"):
            migrations.migrate(database)
    other = Database(database_url)
    assert migrations.migrate(other)
    with database.connect() as conn:
        take(conn)
    database.dispose()
    other.dispose()


def test_migrators_of_two_databases_do_not_wait_for_each_other(
    database_url: str, databases: Databases, tmp_path: Path
) -> None:
    """The server has one space of names for all of them. Fails with one name for every database."""
    url = databases.lease("mariadb", tmp_path)
    mine, theirs = Database(database_url), Database(url)
    with theirs.connect() as conn:
        take(conn)
        assert migrations.migrate(mine)
    for database in (mine, theirs):
        database.dispose()
    databases.give_back("mariadb", url)

"""The lock of PostgreSQL's migrators belongs to a transaction, and poolers may stand in between."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lodger.errors import SchemaError
from lodger.store import migrations
from lodger.store.database import Conn, Database
from lodger.store.sql import Statement, Tables
from tests.support.wait import wait_until


class Hopping(Database):
    """As behind a pooler in transaction mode: every transaction may be on another of the server's sessions."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._sessions = [self.engine.raw_connection() for _ in range(2)]
        self.hops = 0

    def _wrap(self, _: Any) -> Conn:
        return HoppingConn(self)

    def next_session(self) -> Any:
        self.hops += 1
        return self._sessions[self.hops % 2]

    def advisory_locks(self) -> int:
        """How many such locks are held by anybody in this database."""
        return count_locks(Conn(self._sessions[0], self.dialect, self.tables, None), granted=True)

    def close(self) -> None:
        for session in self._sessions:
            session.close()
        self.dispose()


class HoppingConn(Conn):
    """Takes the next session whenever it is not in a transaction."""

    def __init__(self, database: Hopping) -> None:
        self._database = database
        super().__init__(database.next_session(), database.dialect, database.tables, None)
        self._cursor = HoppingCursor(self)

    def next_cursor(self, sql: str) -> Any:
        """The cursor that this statement goes to."""
        if not self._in_transaction and not sql.startswith(("COMMIT", "ROLLBACK")):
            self.raw = self._database.next_session()
        return self.raw.cursor()


class HoppingCursor:
    """A cursor of whichever session it is."""

    def __init__(self, conn: HoppingConn) -> None:
        self._conn = conn
        self._last: Any = None

    def execute(self, sql: str, params: Any = None) -> None:
        self._last = self._conn.next_cursor(sql)
        self._last.execute(sql, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._last, name)


def count_locks(conn: Conn, *, granted: bool) -> int:
    """Advisory locks of this database, held or waited for."""
    sql = """
SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database() AND granted = :granted"""
    return int(conn.value(Statement(lambda _: sql), granted=granted))


def test_migrating_works_behind_a_pooler_in_transaction_mode(database_url: str) -> None:
    """Fails with a lock of the session: it is freed on another one than it was taken on, and so never."""
    database = Hopping(database_url)
    assert migrations.migrate(database)
    assert database.hops > 2
    assert database.advisory_locks() == 0
    migrations.check(database)
    assert migrations.migrate(database) == []
    database.close()


def test_a_second_migrator_waits_for_the_first_and_then_has_nothing_to_do(database_url: str) -> None:
    """Fails without the lock: both would create the tables."""
    database, other = Database(database_url), Database(database_url)
    answers: list[list[int]] = []
    with database.connect() as conn:
        with conn.transaction():
            conn.run(f"SELECT pg_advisory_xact_lock({migrations.ADVISORY_KEY})")
            thread = threading.Thread(target=lambda: answers.append(migrations.migrate(other)))
            thread.start()
            wait_until(lambda: count_locks(conn, granted=False) == 1, 20, "the second one to stand in line")
        thread.join(60)
    assert answers == [[migration.version for migration in migrations.MIGRATIONS]]
    assert migrations.migrate(database) == []
    database.dispose()
    other.dispose()


def test_a_migrator_that_waits_too_long_says_so_and_changes_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without a timeout: it would wait for ever."""
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    database = Database(database_url)
    with database.begin() as conn:
        conn.run(f"SELECT pg_advisory_xact_lock({migrations.ADVISORY_KEY})")
        with pytest.raises(SchemaError, match="somebody else has been migrating"):
            migrations.migrate(database)
        assert migrations.version(conn) == 0
    database.dispose()


def test_the_tables_may_live_in_a_schema_of_their_own(database_url: str) -> None:
    """One schema per app, whatever the search path."""
    one = Database(database_url, tables=Tables(schema="one"))
    two = Database(database_url, tables=Tables(schema="two"))
    assert migrations.migrate(one)
    with two.connect() as conn:
        assert migrations.version(conn) == 0
    assert migrations.migrate(two)
    with one.connect() as conn:
        schemas = conn.rows(Statement(lambda _: "SELECT schemaname FROM pg_tables WHERE tablename = 'lodger_run'"))
    assert sorted(schemas) == [("one",), ("two",)]
    one.dispose()
    two.dispose()

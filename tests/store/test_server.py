"""What the server says of itself, and how far its clock is from ours."""

from __future__ import annotations

from contextlib import ExitStack

from lodger.store import server, sqlite_file
from lodger.store.database import Database
from lodger.store.server import MYSQL_NAMES, POSTGRESQL_NAMES, Server, Skew
from tests.support.store import Store


def look(database: Database) -> Server | None:
    with database.connect() as conn:
        return server.look(conn)


def test_its_settings_are_all_told(store: Store) -> None:
    """Fails when a name is misspelt: the rule that needs it would say "not enough data" for ever."""
    found = look(store.database)
    names = {"sqlite": None, "postgresql": POSTGRESQL_NAMES, "mysql": MYSQL_NAMES}[store.dialect]
    if names is None:
        assert found is None
        return
    assert found is not None
    assert set(found.settings) == set(names)
    assert found.number(names[0]) is None, "a version is no number"
    assert (found.number("max_connections") or 0) > 10


def test_its_connections_are_counted(store: Store, database_url: str) -> None:
    """Of all its clients: other tests' come and go. Fails when only this session is seen."""
    if store.dialect == "sqlite":
        return
    with ExitStack() as opened:
        for _ in range(3):
            other = Database(database_url, pool_size=1)
            opened.callback(other.dispose)
            opened.enter_context(other.connect())
        found = look(store.database)
    assert found is not None
    assert found.connections >= 4


def test_clocks_of_one_host_are_together(store: Store) -> None:
    with store.database.connect() as conn:
        skew = server.skew(conn)
    if store.dialect == "sqlite":
        assert skew is None
    else:
        assert isinstance(skew, Skew)
        assert abs(skew.seconds) - skew.uncertain_seconds < 0.1
        assert skew.uncertain_seconds < 5


def test_only_sqlite_has_a_file(store: Store) -> None:
    found = sqlite_file.look(store.database.url)
    if store.dialect != "sqlite":
        assert found is None
        return
    assert found is not None
    assert found.journal_mode == "wal"
    assert found.is_on_network is False


def test_a_number_that_is_not_told() -> None:
    assert Server().number("max_connections") is None

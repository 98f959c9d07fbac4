"""What keeps a worker from working is logged: once, however often it is tried, but nothing hides behind it."""

from __future__ import annotations

import logging

import pytest

from lodger.errors import LodgerError, SchemaError
from lodger.store import migrations
from lodger.store.database import Database
from lodger.trouble import Trouble, backoff
from tests.supervisor.bench import Bench
from tests.support.wait import wait_until

ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""A log is not the database's."""
NO_TABLES = "no tables: run 'lodger migrate'"


def test_each_text_of_a_series_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Fails when the last text alone is remembered, and when the end of a series is forgotten."""
    trouble = Trouble(logging.getLogger("lodger"), "worker")
    for _ in range(3):
        trouble.note(OSError("refused"))
        trouble.note(LodgerError(NO_TABLES))
    trouble.end()
    trouble.note(OSError("refused"))
    refused = "worker: OSError: refused (trying on)"
    assert caplog.messages == [refused, f"worker: {NO_TABLES} (trying on)", refused]


@pytest.mark.parametrize(("tries", "pause"), [(0, 0.5), (1, 1), (5, 16), (6, 30), (5000, 30)])
def test_a_pause_doubles_up_to_its_most(tries: int, pause: float) -> None:
    """After a night of tries, too. Fails, by an error, where the power is taken first and bounded then."""
    assert backoff(tries, 0.5, 30) == pause


@ON_SQLITE
def test_the_first_trouble_does_not_hide_the_next_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database refuses at first, then it has no tables. Fails when only the first of a series is logged."""
    tries = 0

    def check(_: Database) -> None:
        nonlocal tries
        tries += 1
        raise OSError("refused") if tries < 3 else SchemaError(NO_TABLES)

    with monkeypatch.context() as broken:
        broken.setattr(migrations, "check", check)
        bench.start()
        wait_until(lambda: tries > 4, 30, "some tries")
    bench.wait_ready()
    assert caplog.text.count("worker: OSError: refused (trying on)") == 1
    assert caplog.text.count(f"worker: {NO_TABLES} (trying on)") == 1

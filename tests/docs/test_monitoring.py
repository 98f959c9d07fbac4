"""What docs/monitoring.md says: its SQL answers the same on all engines, its commands exist, and so do doctor.md's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lodger.store.database import Database
from lodger.store.url import parse
from tests.docs.blocks import LANGUAGES, read_blocks
from tests.docs.commands import command_lines, complaint
from tests.docs.conftest import ROOT
from tests.support.store import Store

DOCUMENT = ROOT / "docs" / "monitoring.md"
DOCTOR = ROOT / "docs" / "doctor.md"
BLOCKS = read_blocks(DOCUMENT)
COMMAND = re.compile(r"`((?:[A-Z_]+=\S+ )*lodger [^`]+)`")
FILES = {"shop/jobs.py": "lodger = Lodger()\n"}
HOUR, DAY = 3600, 86400

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "How many runs wait?": [("mail", 2), ("media", 1)],
    "How many were completed in the last hour, and how long did they take?": [(2, 15)],
    "How many failed in the last 24 hours?": [("resize", 1), ("welcome", 2)],
}
ASKED = [(block.heading, block.engine, block.text) for block in BLOCKS if block.language == "sql"]
ON_ALL = "How many runs wait?"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """With runs on both sides of each border."""
    database = Database(database_url, pool_size=1)
    made = Store(database)
    for queue in ("mail", "mail", "media"):
        made.enqueue(queue=queue)
    made.enqueue(queue="mail", delay_seconds=60)
    made.running(made.worker(), queue="mail")
    for status, job, took, ago in (
        ("SUCCEEDED", "welcome", 10, 5),
        ("SUCCEEDED", "resize", 20, HOUR - 60),
        ("SUCCEEDED", "resize", 90, HOUR + 60),
        ("CANCELLED", "resize", 90, 5),
        ("FAILED", "welcome", 90, 5),
        ("FAILED", "welcome", 90, DAY - 60),
        ("FAILED", "resize", 90, 2 * HOUR),
        ("FAILED", "resize", 90, DAY + 60),
    ):
        made.ended(status, took=took, ago=ago, job=job)
    yield made
    database.dispose()


def test_sql(store: Store, engine: str, database_url: str) -> None:
    """Fails when a border, a unit or a status is wrong on one of the engines."""
    queries = [(heading, sql) for heading, on, sql in ASKED if on == engine or heading == ON_ALL]
    assert {heading for heading, _ in queries} == set(ANSWERS)
    database = create_engine(parse(database_url).url)
    with database.connect() as connection:
        for heading, sql in queries:
            assert [tuple(row) for row in connection.execute(text(sql))] == ANSWERS[heading], sql
    database.dispose()


@pytest.mark.parametrize("line", command_lines(BLOCKS))
def test_commands(line: str) -> None:
    assert complaint(line, FILES) == ""


@pytest.mark.parametrize("line", sorted(set(COMMAND.findall(DOCTOR.read_text()))))
def test_commands_of_the_findings(line: str) -> None:
    assert complaint(line, FILES) == ""


def test_each_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert len(ASKED) == 2 + 3 + 3
    assert {on for _, on, _ in ASKED} == {"sqlite", "postgresql", "mariadb"}

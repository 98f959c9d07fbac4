"""What docs/schedules.md shows works: its code runs beside a worker, its commands exist.

It fails when the code raises; its own asserts say what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import LANGUAGES, files, read_blocks, scripts
from tests.docs.commands import command_lines, complaint
from tests.docs.conftest import ROOT
from tests.docs.project import Project

DOCUMENT = ROOT / "docs" / "schedules.md"
BLOCKS = read_blocks(DOCUMENT)
SCRIPTS = scripts(BLOCKS)


@pytest.fixture(scope="module")
def night(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The document's project on SQLite, with a worker beside it."""
    folder = tmp_path_factory.mktemp("night")
    made = Project(folder, f"sqlite:///{folder}/night.db", files(BLOCKS), runtime)
    made.run("lodger", "migrate")
    with made.running("lodger", "worker", "--app", "night.jobs:lodger"):
        yield made


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_code(name: str, night: Project) -> None:
    night.execute(DOCUMENT, SCRIPTS[name])


@pytest.mark.parametrize("line", command_lines(BLOCKS))
def test_commands(line: str) -> None:
    assert complaint(line, files(BLOCKS)) == ""


def test_each_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert len(SCRIPTS) >= 2

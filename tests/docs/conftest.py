"""Projects made of the documents' own code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.blocks import Block, files, read_blocks
from tests.docs.project import Project
from tests.support.databases import Databases

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs" / "guide.md"


@pytest.fixture(scope="session")
def runtime() -> Iterator[Path]:
    """Where wake sockets go; pytest's own directories have paths too long for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="lodger-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def guide() -> list[Block]:
    """The guide's blocks."""
    return read_blocks(GUIDE)


@pytest.fixture(scope="module")
def shop(guide: list[Block], runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The guide's project on SQLite, with a real worker beside it."""
    folder = tmp_path_factory.mktemp("shop")
    made = Project(folder, f"sqlite:///{folder}/shop.db", files(guide), runtime)
    prepare(made)
    with made.running("lodger", "worker", "--app", "shop.jobs:lodger"):
        yield made


@pytest.fixture
def empty_shop(
    engine: str, databases: Databases, guide: list[Block], runtime: Path, tmp_path: Path
) -> Iterator[Project]:
    """The guide's project on `engine`, without tables and worker; its URL in an app's spelling."""
    url = databases.lease(engine, tmp_path)
    made = Project(tmp_path, url.replace("mysql://", "mysql+pymysql://"), files(guide), runtime)
    yield made
    databases.give_back(engine, url)


def prepare(project: Project) -> None:
    """Make Lodger's tables and the app's own."""
    project.run("lodger", "migrate")
    project.run("python", "-c", "from shop.tables import Base, engine; Base.metadata.create_all(engine)")

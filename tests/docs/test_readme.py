"""What README.md shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.blocks import LANGUAGES, files, read_blocks, scripts
from tests.docs.commands import command_lines, complaint
from tests.docs.conftest import ROOT
from tests.docs.project import Project
from tests.docs.web import address_in, ask, text_of
from tests.support.wait import wait_until

README: Final = ROOT / "README.md"
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCKS: Final = read_blocks(README)
LINK: Final = re.compile(r"\]\(([^)#:]*)#?([^):]*)\)")
TITLE: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
TABLES: Final = """
from more import engine, text
with engine.begin() as connection:
    connection.execute(text("CREATE TABLE member (id INTEGER PRIMARY KEY)"))
    connection.execute(text("CREATE TABLE booking (user_id INTEGER PRIMARY KEY)"))
"""
USE: Final = """
from pathlib import Path
from more import add_up, book, engine, sign_up, text
Path("numbers.txt").write_text("1 2 3 4")
assert add_up.enqueue("numbers.txt").result(timeout=60) == 10
book.enqueue(7).result(timeout=60)
sign_up(8)
with engine.connect() as connection:
    assert connection.execute(text("SELECT user_id FROM booking")).all() == [(7,)]
    assert connection.execute(text("SELECT job, status FROM lodger_run WHERE job = 'welcome'")).one()
"""


@pytest.fixture
def site(runtime: Path, tmp_path: Path) -> Project:
    return Project(tmp_path, f"sqlite:///{tmp_path}/app.db", files(BLOCKS), runtime)


def test_ten_lines(site: Project) -> None:
    """One command: tables, child and all."""
    with site.running("uvicorn", "app:app", "--port", "0") as log:
        address = wait_until(lambda: address_in(log), 60, "uvicorn's address")
        wait_until(lambda: "lodger_run" in tables(site), 60, "the tables")
        run_id = ask(f"{address}/sign-up/7", "POST")
        look = f"from app import lodger; print(lodger.handle({run_id!r}).result(timeout=60))"
        assert site.run("python", "-c", look) == "welcomed 7\n"


def tables(site: Project) -> str:
    look = "import sqlite3; print(sqlite3.connect('app.db').execute('SELECT name FROM sqlite_master').fetchall())"
    return site.run("python", "-c", look)


def test_what_a_job_can_do(site: Project) -> None:
    site.run("lodger", "migrate")
    site.run("python", "-c", TABLES)
    with site.running("lodger", "worker", "--app", "more:lodger"):
        site.run("python", "-c", USE)


@pytest.mark.parametrize("line", command_lines(BLOCKS))
def test_commands(line: str) -> None:
    assert complaint(line, files(BLOCKS)) == ""


def test_each_block_is_of_a_kind_that_is_tested() -> None:
    assert {block.language for block in BLOCKS} <= LANGUAGES
    assert scripts(BLOCKS) == {}  # all its Python is in files
    assert not re.search(r"^    \S", text_of(README, BLOCKS), re.MULTILINE)  # no indented block


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    wrong = []
    for path, anchor in LINK.findall(text_of(document, read_blocks(document))):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(f"{path}#{anchor}")
    assert wrong == []


def anchors(document: Path) -> set[str]:
    """What the headings of a document can be linked by."""
    titles = TITLE.findall(text_of(document, read_blocks(document)))
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}

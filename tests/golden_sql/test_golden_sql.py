"""The SQL in this folder is what Lodger sends, and a change of it can't go unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.golden import compare, golden_files, sent_to, write

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folder_holds_what_the_code_sends() -> None:
    assert "\n".join(compare(golden_files())) == "", "run `make golden` and read the difference"


def test_a_changed_a_new_and_a_left_over_file_are_told(tmp_path: Path) -> None:
    write({"changed.sql": "SELECT 1", "left_over.sql": "SELECT 1", "same.sql": "SELECT 1"}, tmp_path)
    now = {"changed.sql": "SELECT 2", "new.sql": "SELECT 1", "same.sql": "SELECT 1"}
    told = [difference.split()[1] for difference in compare(now, tmp_path)]
    assert told == ["changed.sql", "left_over.sql", "new.sql"]
    write(now, tmp_path)
    assert list(compare(now, tmp_path)) == []


@pytest.mark.parametrize(
    ("docstring", "dialects"),
    [
        ("Lock due runs (MariaDB, MySQL).\n\nAnd more (SQLite).", ["mysql"]),
        ("Lock due runs (PostgreSQL, SQLite).", ["postgresql", "sqlite"]),
        ("Lock due runs (all of them).", ["postgresql", "mysql", "sqlite"]),
        ("", ["postgresql", "mysql", "sqlite"]),
    ],
)
def test_a_docstring_tells_the_engines(docstring: str, dialects: list[str]) -> None:
    assert sent_to(docstring) == dialects

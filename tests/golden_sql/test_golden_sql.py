"""The SQL in this folder is what Lodger sends, and a change of it can't go unseen."""

from __future__ import annotations

import pytest

from tools.golden import compare, golden_files, sent_to


def test_the_folder_holds_what_the_code_sends() -> None:
    assert "\n".join(compare(golden_files())) == "", "run `make golden` and read the difference"


def test_a_change_a_new_file_and_a_left_over_file_are_told() -> None:
    files = golden_files()
    changed, missing, *_ = sorted(files)
    told = list(
        compare({**{name: files[name] for name in files if name != missing}, changed: "SELECT 1", "new.sql": ""})
    )
    assert [changed in told[0], missing in told[1]] == [True, True]
    assert len(told) == 2, "an empty new file is nothing"


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

"""docs/guarantees.md names tests that exist, and no promise goes without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.docs.conftest import ROOT

DOCUMENT: Final = ROOT / "docs" / "guarantees.md"
NAMED: Final = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
PARTS: Final = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
PROMISES: Final = {part.partition("\n")[0]: part for part in PARTS}


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names of the test functions in a file."""
    if not file.exists():
        return frozenset()
    functions = (node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(DOCUMENT.read_text()))))
def test_each_named_test_exists(file: str, name: str) -> None:
    """Red for a test that was renamed or has gone, and for a file named without a test."""
    assert name in names_in(ROOT / file)


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_what_shows_it(promise: str) -> None:
    """Before its limits."""
    assert NAMED.search(PROMISES[promise].partition("\nLimits:")[0])


def test_there_are_promises_and_each_says_where_it_ends() -> None:
    assert len(PROMISES) > 5
    silent = [title for title, text in PROMISES.items() if "\nLimits:" not in text]
    assert silent == ["What has not been tested"]

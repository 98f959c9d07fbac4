"""Keeps the SQL that Lodger sends as text in tests/golden_sql, so that a change of it is seen in review.

    python -m tools.golden            write the files
    python -m tools.golden --check    fail if they are not what the code says now

One file per module of `lodger.store`, each statement in all three dialects, one below the other; and the schema, one
file per dialect. Statements are found by themselves; one that is made for a number of rows is shown for two. One whose
docstring's first line ends with engines in parentheses, "(MariaDB, MySQL)", is shown for those alone.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import itertools
import pkgutil
import re
import sys
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import lodger.store
from lodger.store.database import Database
from lodger.store.migrations import script
from lodger.store.sql import DialectName, Statement, Tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FOLDER = Path("tests/golden_sql")
# Any URL of each dialect; nothing is opened.
URLS: dict[DialectName, str] = {
    "postgresql": "postgresql://nobody@127.0.0.1/none",
    "mysql": "mysql://nobody@127.0.0.1/none",
    "sqlite": "sqlite:////none",
}
ENGINES: dict[str, DialectName] = {
    "PostgreSQL": "postgresql",
    "MariaDB": "mysql",
    "MySQL": "mysql",
    "SQLite": "sqlite",
}
SOME_ENGINES = re.compile(rf"\(((?:(?:{'|'.join(ENGINES)})(?:, )?)+)\)\.?$")
MADE: Any = type(lru_cache(len))  # what a function that makes statements, and keeps them, is
EXAMPLE_COUNT = 2
REMAKE = "make golden"


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(prog="python -m tools.golden", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if something would change")
    differences = list(compare(golden_files()))
    if parser.parse_args().check:
        print("\n".join(differences) or "golden SQL: up to date")
        return bool(differences)
    write(golden_files())
    print(f"{FOLDER}: {len(differences)} files changed")
    return 0


def golden_files() -> dict[str, str]:
    """Each file's name and what should be in it."""
    files = {}
    for module in store_modules():
        found = sorted(statements(module), key=itemgetter(0))
        if shown := "\n".join(show(*one) for one in found):
            files[f"{module.__name__.removeprefix('lodger.store.')}.sql"] = shown
    for dialect, url in URLS.items():
        files[f"schema.{dialect}.sql"] = script(Database(url))
    return files


def compare(files: dict[str, str], folder: Path = FOLDER) -> Iterator[str]:
    """What differs between the folder and `files`, told as a diff."""
    there = {path.name: path.read_text() for path in folder.glob("*.sql")}
    for name in sorted(there.keys() | files.keys()):
        before, after = there.get(name, ""), files.get(name, "")
        if before != after:
            lines = difflib.unified_diff(
                before.splitlines(), after.splitlines(), name, f"{name} by {REMAKE}", "", "", 1
            )
            yield "\n".join(line.rstrip("\n") for line in lines)


def write(files: dict[str, str], folder: Path = FOLDER) -> None:
    """Make the folder hold `files` and no other SQL."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.sql"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)


def store_modules() -> Iterator[ModuleType]:
    """All modules below lodger.store."""
    for found in pkgutil.walk_packages(lodger.store.__path__, "lodger.store."):
        yield importlib.import_module(found.name)


def statements(module: ModuleType) -> Iterator[tuple[str, Statement, str]]:
    """The statements that a module defines, made ones included: a name that says with what, itself, its docstring."""
    for name, value in vars(module).items():
        if isinstance(value, Statement) and value.build.__module__ == module.__name__:
            yield name, value, value.build.__doc__ or ""
        elif isinstance(value, MADE) and value.__module__ == module.__name__:
            hints = get_type_hints(value)
            if hints.pop("return", None) is Statement:
                for arguments in itertools.product(*map(examples, hints.values())):
                    yield f"{name}({', '.join(map(str, arguments))})", value(*arguments), value.__doc__ or ""


def examples(hint: Any) -> tuple[Any, ...]:
    """Arguments to show a made statement with."""
    if hint is int:
        return (EXAMPLE_COUNT,)
    if hint is bool:
        return (False, True)
    if get_origin(hint) is Literal:
        return get_args(hint)
    raise TypeError(f"tools.golden knows no example of {hint}: give it one")


def show(name: str, made: Statement, docstring: str) -> str:
    """One statement in each dialect; those that share their text are told together."""
    texts: dict[str, list[str]] = {}
    for dialect in sent_to(docstring):
        text, _ = made.render(dialect, Tables(), "named")
        texts.setdefault(text.strip(), []).append(dialect)
    parts = [f"-- {name}: {', '.join(dialects)}\n{text};\n" for text, dialects in texts.items()]
    return "\n".join(parts)


def sent_to(docstring: str) -> list[DialectName]:
    """The dialects of a statement, as its docstring tells."""
    told = SOME_ENGINES.search(docstring.partition("\n")[0])
    chosen = {ENGINES[engine] for engine in told[1].split(", ")} if told else URLS.keys()
    return [dialect for dialect in URLS if dialect in chosen]


if __name__ == "__main__":
    sys.exit(main())

"""Looks at a command line in a document: is there such a command, such an option, such a variable?"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from lodger import settings
from lodger.cli import make_parser
from lodger.placement.mode import VARIABLE, read_mode
from lodger.store.url import parse
from tests.docs.blocks import Block
from tools import settings_doc

ROOT: Final = Path(__file__).parents[2]
ASSIGNMENT: Final = re.compile(r"^([A-Z_]+)=(.*)$")
PROCESS: Final = re.compile(r"^\w+: ")
EXTRA: Final = re.compile(r"^lodger(?:\[(\w+)\])?$")
Files = Mapping[str, str]


def command_lines(blocks: Sequence[Block]) -> list[str]:
    """Every line of the blocks of commands, without the name of a process in front."""
    lines = [line for block in blocks if block.language in {"sh", "procfile"} for line in block.text.splitlines()]
    return [PROCESS.sub("", line) for line in lines if line.strip()]


def complaint(line: str, files: Files) -> str:
    """What is wrong with a command; nothing when it would be understood. `files` are the document's own."""
    words = shlex.split(line, comments=True)
    variables: dict[str, str] = {}
    while words and (assigned := ASSIGNMENT.match(words[0])):
        variables[assigned[1]] = assigned[2]
        words.pop(0)
    if not words or words[0] not in PROGRAMS:
        return f"no such program: {line}"
    try:
        _look_at_variables(variables)
        PROGRAMS[words[0]](words[1:], files)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - argparse exits
        return f"{line}: {error!r}"
    return ""


def _look_at_variables(variables: Mapping[str, str]) -> None:
    page = settings_doc.page()
    for name in variables:
        assert f"`{name}`" in page, f"{name} is not in docs/settings.md"
    settings.read(environ=variables)
    if VARIABLE in variables:
        read_mode(variables)
    if "DATABASE_URL" in variables:
        parse(variables["DATABASE_URL"])


def _pip(words: Sequence[str], files: Files) -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = "\n".join(project["dependency-groups"]["dev"])
    assert words[0] == "install"
    for word in words[1:]:
        if told := EXTRA.match(word):
            assert told[1] is None or told[1] in project["project"]["optional-dependencies"], word
        else:
            assert re.search(rf"^{word}\b", needed, re.MULTILINE), f"{word} is not among our own dependencies"


def _lodger(words: Sequence[str], files: Files) -> None:
    options = make_parser().parse_args(words)
    if getattr(options, "app", None):
        _find(options.app, files)


def _uvicorn(words: Sequence[str], files: Files) -> None:
    context = import_module("uvicorn.main").main.make_context("uvicorn", list(words))
    _find(context.params["app"], files)


def _find(place: str, files: Files) -> None:
    module, _, name = place.partition(":")
    text = files[module.replace(".", "/") + ".py"]
    assert re.search(rf"^{name} = ", text, re.MULTILINE), f"{module} has no {name}"


def _make(words: Sequence[str], files: Files) -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words[0] in targets, words[0]


PROGRAMS: Final[Mapping[str, Callable[[Sequence[str], Files], None]]] = {
    "pip": _pip,
    "lodger": _lodger,
    "uvicorn": _uvicorn,
    "make": _make,
}

"""Keeps docs/settings.md: every setting, option and limit with its default, read from the code.

    python -m tools.settings_doc            write it
    python -m tools.settings_doc --check    fail if it is not what the code says now

What carries a sentence in the code is shown with it; the other names have theirs in tools.settings_words, and a name
without one (a new option) stops this tool.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from lodger import Lodger, Retry, Unique
from lodger.client.options import Options
from lodger.model import outcome, payload
from lodger.settings import Settings
from lodger.store.database import WAIT_SECONDS
from lodger.worker.attempt.runlog import MAX_LINES
from tools import settings_words as words

FILE: Final = Path("docs/settings.md")
REMAKE: Final = "python -m tools.settings_doc"
NO_LIMIT: Final = 1e9
KINDS: Final = {bool: "yes or no", int: "integer", float: "number", str: "text", tuple: "list"}
UNITS: Final = {
    "seconds": "s",
    "mb": "MB",
    "runs": "runs",
    "concurrency": "runs",
    "slots": "runs",
    "processes": "processes",
    "nice": "niceness",
}
SPANS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"))


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(prog=REMAKE, description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if something would change")
    if parser.parse_args().check:
        difference = compare(page())
        print(difference or f"{FILE}: up to date")
        return bool(difference)
    FILE.write_text(page())
    return 0


def compare(wanted: str, file: Path = FILE) -> str:
    """Return what differs between the file and what should be in it, as a diff; empty: nothing."""
    there = file.read_text() if file.exists() else ""
    lines = difflib.unified_diff(there.splitlines(), wanted.splitlines(), str(file), f"{file} by {REMAKE}", "", "", 1)
    return "\n".join(line.rstrip("\n") for line in lines)


def page() -> str:
    """Return the whole document."""
    job = {n: p.default for n, p in inspect.signature(Lodger.job).parameters.items() if p.kind is p.KEYWORD_ONLY}
    using = dict.fromkeys(Options.__annotations__, MISSING)
    parts = [
        words.INTRODUCTION,
        "## Settings\n",
        _table(("keyword", "variable", "type", "default", "unit", "allowed", "what it does"), _settings()),
        "## Other variables\n",
        _table(("variable", "what it does"), ((f"`{name}`", text) for name, text in words.VARIABLES.items())),
        "## Options of a job: `@lodger.job(...)`\n",
        _options(job, words.JOB),
        "## Retry: `Retry(...)`\n",
        _options(_defaults(Retry), words.RETRY),
        "## Options of one enqueue: `job.using(...)`\n\nWhat is not given is the job's own.\n",
        _options(using, words.USING),
        "## Unique keys: `Unique(...)`\n",
        _options(_defaults(Unique), words.UNIQUE),
        "## Fixed limits\n",
        _table(("what", "limit"), _limits()),
    ]
    return "\n".join(parts)


def _settings() -> Iterable[Sequence[str]]:
    for one in fields(Settings):
        told = one.metadata
        yield (
            f"`{one.name}`",
            f"`{told['variable']}`",
            KINDS[type(one.default)],
            shown(one.default, is_seconds=one.name.endswith("_seconds")),
            UNITS.get(one.name, UNITS.get(one.name.rpartition("_")[2], "")),
            ", ".join(told["words"]) or allowed(one.default, told["low"], told["high"]),
            told["sentence"],
        )


def _limits() -> Iterable[Sequence[str]]:
    yield "arguments, meta, a result, a checkpoint, as JSON", f"{payload.MAX_BYTES} bytes, {payload.MAX_DEPTH} deep"
    yield "integers in them", "64 bits, signed"
    yield "crashes of a run that are blamed on it, before it is FAILED", str(outcome.MAX_CRASHES)
    yield "times a run is taken from a worker that vanished, before it is FAILED", str(outcome.MAX_LOST)
    yield "times a run is interrupted by a worker that stops, before it is FAILED", str(outcome.MAX_INTERRUPTIONS)
    yield "lines that an attempt can log", str(MAX_LINES)
    yield "the wait for an uncommitted transaction that may be taking a unique key", f"{WAIT_SECONDS} seconds"


def _defaults(cls: type) -> dict[str, Any]:
    return {one.name: one.default for one in fields(cls)}


def _options(defaults: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    """Return a table of names; each has its meaning, and there are no others."""
    if defaults.keys() != meanings.keys():
        odd = ", ".join(sorted(defaults.keys() ^ meanings.keys()))
        raise SystemExit(f"tools.settings_words and the code don't name the same: {odd}")
    if all(default is MISSING for default in defaults.values()):
        return _table(("option", "what it does"), ((f"`{name}`", meanings[name]) for name in defaults))
    rows = ((f"`{name}`", shown(default), meanings[name]) for name, default in defaults.items())
    return _table(("option", "default", "what it does"), rows)


def shown(value: Any, *, is_seconds: bool = False) -> str:
    """Return a default for people: code, or a word; long times also in hours or days."""
    if value is MISSING:
        return "must be given"
    if value is None:
        return "none"
    if value in ("", ()):
        return "empty"
    if isinstance(value, bool):
        return "no" if value is False else "yes"
    if isinstance(value, tuple):
        return ", ".join(f"`{one.__name__}`" for one in value)
    text = f"{value:.10g}" if isinstance(value, float) else str(value)  # 8, not 8.0
    return f"`{text}`{_span(value) if is_seconds else ''}"


def _span(seconds: float) -> str:
    for size, noun in SPANS:
        if seconds > size and seconds % size == 0:
            return f" ({seconds / size:.0f} {noun}s)"
    return ""


def allowed(default: Any, low: float, high: float) -> str:
    """Return the bounds of a number."""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return ""
    return f"{low:g} or more" if high >= NO_LIMIT else f"{low:g} to {high:.10g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())

"""Colours, where they are wanted: on a terminal, unless NO_COLOR is set (https://no-color.org)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Final, Literal, TextIO, TypeAlias

Colour: TypeAlias = Literal["red", "yellow", "green", "bold", "dim"]
Paint: TypeAlias = Callable[[str, Colour], str]

CODES: Final[dict[Colour, int]] = {"red": 31, "yellow": 33, "green": 32, "bold": 1, "dim": 2}


def painter(stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> Paint:
    """Return what colours a text that is written to ``stream`` (standard output), or leaves it as it is."""
    return _coloured if _wanted(stream or sys.stdout, os.environ if environ is None else environ) else _plain


def _wanted(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _coloured(text: str, colour: Colour) -> str:
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m"


def _plain(text: str, _colour: Colour) -> str:
    return text

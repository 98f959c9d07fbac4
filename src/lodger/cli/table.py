"""Tables for people, in plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines of columns as wide as their widest cell; numbers to the right."""
    cells = [[clean(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [all(cell.isdigit() or cell == "-" for cell in column[1:]) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def counted(number: int, noun: str) -> str:
    """Return how many there are, in words that fit one and many."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clean(cell: str) -> str:
    """Return a cell without control characters: names come from the database, and a terminal obeys some of them."""
    return "".join(char if char.isprintable() else "\ufffd" for char in cell)

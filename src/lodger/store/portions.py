"""Batches in portions that a server takes as one statement.

MariaDB closes the connection over a statement of more than 16 MB (max_allowed_packet, its default). Quotes and
backslashes are escaped on the way, twice inside JSON, so a character can become eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

MAX_CHARS: Final = 2_000_000
"""Per portion; a single larger item is a portion of its own."""


def portions(items: Iterable[T], chars: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield ``items`` in their order, in lists whose ``chars`` add up to at most MAX_CHARS."""
    portion: list[T] = []
    total = 0
    for item in items:
        size = chars(item)
        if portion and total + size > MAX_CHARS:
            yield portion
            portion, total = [], 0
        portion.append(item)
        total += size
    if portion:
        yield portion

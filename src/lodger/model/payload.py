"""JSON in and out, with one set of limits for every database.

The limits are the narrowest of the three engines' (PostgreSQL refuses NUL and lone surrogates,
SQLite keeps 64-bit integers), so a value that one engine takes, all take. Checked at enqueue.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, TypeAlias

from lodger.errors import InvalidPayload

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 64
MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: Any, field: str) -> str:
    """Return ``value`` as JSON text, or raise InvalidPayload naming ``field`` and the place in it."""
    _check(value, field, 0)
    text = _encoder.encode(value)
    size = len(text.encode("utf-8"))
    if size > MAX_BYTES:
        raise InvalidPayload(field, f"{size} bytes of JSON", f"at most {MAX_BYTES} bytes")
    return text


def decode(text: str | None) -> Any:
    """Return the value of JSON ``text``; no text is None."""
    return None if text is None else json.loads(text)


def _check(value: Any, place: str, depth: int) -> None:
    """Walk ``value``; ``place`` is the path shown in the error, ``depth`` the nesting so far."""
    if value is None or value is True or value is False:
        return
    kind = type(value)
    if kind is str:
        _check_text(value, place)
    elif kind is int:
        if not MIN_INT <= value <= MAX_INT:
            raise InvalidPayload(place, "an integer over 64 bits", "-2**63 to 2**63 - 1")
    elif kind is float:
        if not math.isfinite(value):
            raise InvalidPayload(place, value, "finite numbers (JSON has no NaN or Infinity)")
    elif kind is dict or kind is list:
        if depth == MAX_DEPTH:
            raise InvalidPayload(place, f"nested over {MAX_DEPTH} deep", f"at most {MAX_DEPTH} levels")
        _check_inside(value, place, depth + 1)
    else:
        raise InvalidPayload(place, value, "JSON: dict with text keys, list, str, int, float, bool, None")


def _check_inside(value: dict[Any, Any] | list[Any], place: str, depth: int) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{place}[{index}]", depth)
        return
    for key, item in value.items():
        if type(key) is not str:
            raise InvalidPayload(f"{place} key", key, "text keys only")
        _check_text(key, f"{place} key")
        _check(item, f"{place}.{key}", depth)


def _check_text(text: str, place: str) -> None:
    if "\x00" in text:
        raise InvalidPayload(place, text, "text without NUL characters")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidPayload(place, ascii(text), "valid Unicode (no lone surrogates)") from None


def clean_text(text: str, max_chars: int) -> str:
    """Return ``text`` fit for every database: no NUL, no lone surrogate, cut to ``max_chars``.

    Recording an error must not be able to fail, so this never raises.
    """
    text = text.replace("\x00", "\ufffd")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    return text

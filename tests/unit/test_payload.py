"""JSON in and out: what is accepted comes back equal, what is refused is named."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput, InvalidPayload
from lodger.model.payload import MAX_BYTES, MAX_DEPTH, MAX_INT, MIN_INT, clean_text, decode, encode

# Every text the limits allow: no NUL, no lone surrogate.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
SCALARS = (
    st.none() | st.booleans() | st.integers(MIN_INT, MAX_INT) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30)
ANYTHING = st.recursive(
    SCALARS | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.just((1, 2)) | st.just({3}),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=10,
)


def nested(depth: int) -> Any:
    """A list that is nested ``depth`` deep."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def same(left: Any, right: Any) -> bool:
    """Equal, and of equal types all the way down: 1, 1.0 and True are three values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(JSON)
def test_every_json_value_within_the_limits_is_accepted_and_decodes_equal(value: Any) -> None:
    """What a job receives is what was enqueued."""
    assert same(decode(encode(value, "args")), value)


@given(ANYTHING)
def test_anything_at_all_is_either_refused_or_decodes_equal(value: Any) -> None:
    """There is no third way: a value is never changed in passing, and no other error comes out."""
    try:
        text = encode(value, "args")
    except InvalidPayload:
        return
    assert same(decode(text), value)
    text.encode("utf-8")
    assert "\x00" not in text
    assert r"\u0000" not in text


class Colour(StrEnum):
    RED = "red"


REFUSED: dict[str, tuple[Any, str, str]] = {
    "set": ({"a": {1, 2}}, "args.a", "JSON"),
    "tuple": ({"a": (1, 2)}, "args.a", "JSON"),
    "bytes": ([b"bytes"], "args[0]", "JSON"),
    "class": (object, "args", "JSON"),
    "enum": (Colour.RED, "args", "JSON"),
    "complex": ([1, [2, 3 + 4j]], "args[1][1]", "JSON"),
    "number as key": ({1: "a"}, "args key", "text keys"),
    "None as key": ({None: "a"}, "args key", "text keys"),
    "enum as key": ({Colour.RED: "a"}, "args key", "text keys"),
    "NaN": ({"a": [{"b": float("nan")}]}, "args.a[0].b", "finite"),
    "infinity": (float("inf"), "args", "finite"),
    "minus infinity": (-float("inf"), "args", "finite"),
    "one over 64 bits": (2**63, "args", "2**63"),
    "one under 64 bits": (-(2**63) - 1, "args", "2**63"),
    "huge integer": (10**5000, "args", "2**63"),
    "NUL": ("a\x00b", "args", "NUL"),
    "NUL in key": ({"a\x00": 1}, "args key", "NUL"),
    "lone surrogate": ("\ud800", "args", "surrogates"),
    "lone surrogate in key": ({"\udfff": 1}, "args key", "surrogates"),
    "too deep": (nested(MAX_DEPTH + 1), "args" + "[0]" * MAX_DEPTH, "64 levels"),
    "too long": ("x" * (MAX_BYTES - 1), "args", "1000000 bytes"),
    "too many bytes": ("€" * (MAX_BYTES // 3), "args", "1000000 bytes"),
}


@pytest.mark.parametrize(("value", "place", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_each_refusal_names_the_field_the_place_and_what_is_allowed(value: Any, place: str, reason: str) -> None:
    """Whoever enqueues must find the culprit in a large value."""
    with pytest.raises(InvalidPayload, match=re.escape(reason)) as caught:
        encode(value, "args")
    assert caught.value.field == place
    assert str(caught.value).startswith(f"{place}: ")
    str(caught.value).encode()  # the message itself can be printed and stored
    assert isinstance(caught.value, InvalidInput)


def test_a_value_that_contains_itself_is_refused() -> None:
    """The depth limit is met before Python's own recursion limit."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(InvalidPayload, match="64 levels"):
        encode(loop, "args")


ALLOWED = {
    "most": MAX_INT,
    "least": MIN_INT,
    "deepest": nested(MAX_DEPTH),
    "longest": "x" * (MAX_BYTES - 2),
    "most bytes": "€" * ((MAX_BYTES - 2) // 3),
    "true": True,
    "fraction": 0.1,
    "minus zero": -0.0,
}


@pytest.mark.parametrize("value", ALLOWED.values(), ids=ALLOWED.keys())
def test_the_limits_themselves_are_allowed(value: Any) -> None:
    """The last value within a limit passes; with the refusals above this pins every bound."""
    assert same(decode(encode(value, "args")), value)


def test_no_text_decodes_to_none() -> None:
    """A NULL column is no value."""
    assert decode(None) is None


def test_text_is_stored_as_it_is_and_not_escaped() -> None:
    """Escaping would triple the size of most of the world's scripts."""
    assert encode({"name": "Zoë", "n": [1, 2]}, "args") == '{"name":"Zoë","n":[1,2]}'


@given(st.text(st.characters()), st.integers(1, 50))
def test_cleaned_text_always_fits(text: str, limit: int) -> None:
    """Recording an error cannot fail: any text becomes one that every database takes."""
    cleaned = clean_text(text, limit)
    assert len(cleaned) <= limit
    assert "\x00" not in cleaned
    cleaned.encode("utf-8")


@given(TEXT)
def test_cleaning_leaves_good_text_alone(text: str) -> None:
    """Nothing is lost that need not be."""
    assert clean_text(text, len(text) + 1) == text


def test_cleaning_shows_what_it_replaced_and_that_it_cut() -> None:
    """A reader sees that the text was changed."""
    assert clean_text("a\x00b", 10) == "a\ufffdb"
    assert clean_text("a\ud800b", 10) == "a?b"
    assert clean_text("abcdef", 4) == "abc…"
    assert clean_text("abcd", 4) == "abcd"


def test_cleaned_text_survives_json() -> None:
    """The run's own row keeps its error as JSON."""
    assert json.loads(json.dumps(clean_text("\x00\ud800", 10), ensure_ascii=False)) == "\ufffd?"

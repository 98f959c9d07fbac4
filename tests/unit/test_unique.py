"""Unique keys: their slot and their choices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.unique import MAX_KEY_LENGTH, Unique

NAMES = st.text(st.characters(exclude_characters="\x00", max_codepoint=127), min_size=1, max_size=20)
KEYS = st.text(st.characters(), min_size=1, max_size=20)


@given(NAMES, KEYS, NAMES, KEYS)
def test_two_slots_are_equal_exactly_when_job_and_key_are(job: str, key: str, other_job: str, other_key: str) -> None:
    """Keys of two jobs never meet, whatever characters the keys hold."""
    equal = Unique(key=key).slot(job) == Unique(key=other_key).slot(other_job)
    assert equal == ((job, key) == (other_job, other_key))


@given(KEYS)
def test_a_slot_is_32_bytes_for_every_key(key: str) -> None:
    """The column is BINARY(32) on MariaDB; lone surrogates must not raise here."""
    assert len(Unique(key=key).slot("job")) == 32


def test_the_slot_does_not_depend_on_scope_window_or_conflict() -> None:
    """Two enqueues with different choices still meet on the same key."""
    other = Unique(key="k", states="waiting", window_seconds=5, conflict="raise")
    assert Unique(key="k").slot("job") == other.slot("job")


def test_the_slot_of_a_known_key_never_changes() -> None:
    """Slots are stored: a new release must find the holders of the old one."""
    # printf 'send\0invoice-7' | sha256sum
    expected = "80d5e65a3238b0054ebd22ff4ff344ac77416d216b2d69d790f6b9a4af88b406"
    assert Unique(key="invoice-7").slot("send").hex() == expected


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("unique key", {"key": ""}),
        ("unique key", {"key": "x" * (MAX_KEY_LENGTH + 1)}),
        ("unique key", {"key": 7}),
        ("unique key", {"key": None}),
        ("unique states", {"key": "k", "states": "running"}),
        ("unique conflict", {"key": "k", "conflict": "ignore"}),
        ("unique window_seconds", {"key": "k", "window_seconds": 0}),
        ("unique window_seconds", {"key": "k", "window_seconds": -1}),
        ("unique window_seconds", {"key": "k", "window_seconds": float("nan")}),
        ("unique window_seconds", {"key": "k", "window_seconds": 400 * 86400}),
    ],
)
def test_a_choice_outside_the_table_is_refused_by_name(field: str, options: dict[str, Any]) -> None:
    """The error names the option."""
    with pytest.raises(InvalidInput) as caught:
        Unique(**options)
    assert caught.value.field == field


def test_the_longest_key_and_window_are_allowed() -> None:
    """The bounds themselves pass."""
    assert Unique(key="x" * MAX_KEY_LENGTH, window_seconds=366 * 86400).key

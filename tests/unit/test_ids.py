"""Run ids: UUID version 7 in text."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.ids import bytes_of, checked, first_id_at, new_id, text_of

MILLISECONDS = st.integers(0, 2**48 - 1)


@given(MILLISECONDS)
def test_an_id_is_a_uuid_of_version_7_that_carries_its_time(unix_ms: int) -> None:
    """RFC 9562, section 5.7, read by Python's own class."""
    made = uuid.UUID(new_id(unix_ms))
    assert str(made) == checked(made)
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == unix_ms


@given(MILLISECONDS, MILLISECONDS)
def test_ids_are_ordered_by_their_time(one: int, other: int) -> None:
    """New rows land at the end of every index, and pruning walks ids in the order of time."""
    if one < other:
        assert new_id(one) < new_id(other)
        assert bytes_of(new_id(one)) < bytes_of(new_id(other))


@given(MILLISECONDS)
def test_the_first_id_of_a_millisecond_is_a_bound_for_all_of_its_ids(unix_ms: int) -> None:
    """A range over times is a range over ids."""
    bound = first_id_at(unix_ms)
    assert checked(bound) == bound
    assert bound <= new_id(unix_ms)
    if unix_ms:
        assert new_id(unix_ms - 1) < bound


def test_a_time_before_1970_is_bounded_by_the_first_id_of_all() -> None:
    """A retention longer than the epoch prunes nothing."""
    assert first_id_at(-1) == first_id_at(0) == "00000000-0000-7000-8000-000000000000"


@given(st.binary(min_size=16, max_size=16))
def test_bytes_and_text_are_each_other_s_inverse(raw: bytes) -> None:
    """Two databases store 16 bytes, Python sees text."""
    assert bytes_of(text_of(raw)) == raw
    assert text_of(raw) == str(uuid.UUID(bytes=raw))


def test_ids_made_one_after_the_other_are_in_order() -> None:
    """Red with random bits behind the millisecond: a batch of runs then started in any order."""
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_hundred_thousand_ids_of_one_millisecond_differ() -> None:
    """74 random bits."""
    assert len({new_id(1) for _ in range(100_000)}) == 100_000


@given(st.uuids())
def test_any_spelling_of_a_uuid_object_or_upper_case_is_taken_as_canonical_text(value: uuid.UUID) -> None:
    """A run id from a URL or a uuid column is welcome."""
    assert checked(value) == checked(str(value).upper()) == str(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "01990000-0000-7000-8000-00000000000",
        "{01990000-0000-7000-8000-000000000000}",
        "0" * 32,
        "01990000-0000-7000-8000-000000000000\n",
        "\u06601990000-0000-7000-8000-000000000000",  # a digit, but not one of ours
        None,
        7,
        b"x" * 16,
    ],
)
def test_what_is_no_id_is_refused_by_name(value: Any) -> None:
    """An id out of a request never reaches a driver unchecked."""
    with pytest.raises(InvalidInput) as caught:
        checked(value)
    assert caught.value.field == "run id"

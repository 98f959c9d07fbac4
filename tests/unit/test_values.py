"""How ids and times look in each database, and back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.ids import new_id
from lodger.store.values import array_in, id_in, id_or_none, id_out, microseconds, time_in, time_out

DIALECTS: list[Any] = ["postgresql", "mysql", "sqlite"]
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001 - aware by ZONES


@pytest.mark.parametrize("dialect", DIALECTS)
@given(TIMES)
def test_an_aware_time_of_any_zone_comes_back_as_the_same_instant_in_utc(dialect: Any, value: datetime) -> None:
    """To the microsecond, before 1970 too."""
    back = time_out(time_in(dialect, value))
    assert back == value
    assert back is not None
    assert back.tzinfo is UTC


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_naive_time_is_refused_since_its_zone_would_be_a_guess(dialect: Any) -> None:
    """The error says how to write it."""
    with pytest.raises(InvalidInput, match=r"datetime\.now\(UTC\)") as caught:
        time_in(dialect, datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point
    assert caught.value.field == "run_at"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_value_stays_no_value(dialect: Any) -> None:
    """NULL in, NULL out."""
    assert time_in(dialect, None) is None
    assert time_out(None) is None
    assert id_in(dialect, None) is None
    assert id_or_none(None) is None


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, None])
def test_an_id_is_text_whatever_the_driver_answers(wrap: Any) -> None:
    """Text, bytes of three kinds or a UUID object."""
    text = new_id()
    raw = uuid.UUID(text).bytes
    assert id_out(wrap(raw) if wrap else uuid.UUID(text)) == text
    assert id_out(text) == id_or_none(text) == text


@given(st.uuids())
def test_an_id_as_a_parameter_comes_back(value: uuid.UUID) -> None:
    """Each engine's own form, and text again."""
    for dialect in DIALECTS:
        assert id_out(id_in(dialect, str(value))) == str(value)


@pytest.mark.parametrize(
    ("seconds", "whole"), [(0, 0), (0.001, 1000), (1e-7, 0), (0.1 + 0.2, 300_000), (-1.5, -1_500_000)]
)
def test_seconds_become_whole_microseconds(seconds: float, whole: int) -> None:
    """The database adds integers."""
    assert microseconds(seconds) == whole


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "{}"),
        (["a", None, "NULL", ""], '{"a",NULL,"NULL",""}'),
        (['{"k":"\\\\"}', "a,b}"], '{"{\\"k\\":\\"\\\\\\\\\\"}","a,b}"}'),
        ([1, -2, None], "{1,-2,NULL}"),
        ([b"\x00\xff", None], '{"\\\\x00ff",NULL}'),
        ([datetime(2027, 3, 28, 1, tzinfo=UTC)], '{"2027-03-28T01:00:00+00:00"}'),
    ],
)
def test_an_array_for_postgresql_is_quoted_as_its_parser_reads_it(values: list[object], text: str) -> None:
    """What comes back from the server is tested with the inserts; here, that nothing ends the quotes early."""
    assert array_in(values) == text


def test_an_array_takes_no_other_types() -> None:
    """A dict would be written as Python shows it, and stored so."""
    with pytest.raises(TypeError):
        array_in([{}])

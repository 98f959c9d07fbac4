"""Intervals, catching up, and what timetables look like in rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.timetable import EPOCH, Cron, Every, Timetable, due_instants, timetable_of, timetable_text

INTERVALS = st.timedeltas(timedelta(seconds=1), timedelta(days=366))
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MICROSECOND = timedelta(microseconds=1)


@given(INTERVALS, TIMES)
def test_an_interval_s_instants_are_its_multiples_since_1970(interval: timedelta, after: datetime) -> None:
    instant = Every(interval).next_after(after)
    assert (instant - EPOCH) % interval == timedelta(0)
    assert after < instant <= after + interval
    assert Every(interval).next_after(instant - MICROSECOND) == instant


def test_ways_to_write_an_interval() -> None:
    assert Every(timedelta(minutes=5)) == Every(minutes=5) == Every(seconds=300)
    assert Every(days=1, hours=1).interval == timedelta(hours=25)
    assert str(Every(minutes=5)) == "every 5 min"
    assert str(Every(seconds=1.5)) == "every 1.5 s"
    assert str(Every(days=2)) == "every 2 d"


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        ((), {}),
        ((), {"seconds": 0.5}),
        ((), {"days": 367}),
        ((), {"seconds": -5}),
        ((), {"seconds": 1e300}),
        ((), {"seconds": float("nan")}),
        ((), {"minutes": "5"}),
        ((5,), {}),
        (("5 minutes",), {}),
    ],
)
def test_what_is_no_interval_is_refused_by_name(positional: Any, named: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Every(*positional, **named)
    assert caught.value.field == "every"


@pytest.mark.parametrize(
    "timetable",
    [Cron("0 3 * * *", timezone="Europe/Berlin"), Cron("@daily"), Every(minutes=5), Every(seconds=1.5)],
    ids=str,
)
def test_a_row_gives_back_what_was_written(timetable: Timetable) -> None:
    assert timetable_of(timetable_text(timetable)) == timetable


def test_a_zone_that_this_host_lacks_is_told() -> None:
    text = timetable_text(Cron("0 3 * * *", timezone="Europe/Berlin")).replace("Berlin", "Bonn")
    with pytest.raises(InvalidInput, match="Europe/Bonn"):
        timetable_of(text)


def test_spellings_of_one_expression_are_equal() -> None:
    assert Cron("0 3 * * mon") == Cron(" 0  3 * * MON ")
    assert Cron("@daily") == Cron("0 0 * * *")


@given(
    st.sampled_from(
        [Every(seconds=1), Every(minutes=7), Cron("*/5 1-3 * * *", timezone="Europe/Berlin"), Cron("@daily")]
    ),
    st.datetimes(datetime(2027, 3, 20), datetime(2027, 4, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 20_000),
    st.integers(1, 5),
)
def test_catching_up_finds_the_newest_instants(timetable: Timetable, start: datetime, seconds: int, limit: int) -> None:
    """However far it has to look back: the same as counting them all."""
    first = timetable.next_after(start)
    assert first is not None
    now = first + timedelta(seconds=seconds)
    counted = []
    instant: datetime | None = first
    while instant is not None and instant <= now:
        counted.append(instant)
        instant = timetable.next_after(instant)
    assert due_instants(timetable, first, now, limit) == counted[-limit:]


def test_forty_years_of_seconds_are_not_counted() -> None:
    """Hours of work if they were: without the growing steps this one times out."""
    first = datetime(2027, 1, 1, tzinfo=UTC)
    now = first + timedelta(days=40 * 365)
    assert due_instants(Every(seconds=1), first, now, 3) == [now - timedelta(seconds=s) for s in (2, 1, 0)]
    minutes = due_instants(Cron("* * * * *", timezone="Europe/Berlin"), first, now, 100)
    assert (len(minutes), minutes[-1]) == (100, now)

"""Cron over changes of the clock, against an oracle that looks at every minute (tests/support/cron_oracle.py).

Shown to fail: with `fold=1` in `_reached`; with the gap's branch left out of it; with `_next_change` returning None;
with `follows_elapsed_time` returning what cronsim thinks (fields that begin with a star).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.cron import checked_expression, follows_elapsed_time, next_instant, zone_of
from tests.support import cron_oracle
from tests.support.cron_oracle import Clock

DAYS = timedelta(days=1)
AROUND = timedelta(hours=30)
SECOND = timedelta(seconds=1)

# Zones by what is odd about them, with years in which it happens.
ODD = [
    ("Europe/Berlin", 2027),
    ("America/New_York", 2027),
    ("Australia/Lord_Howe", 2027),  # changes by 30 minutes
    ("America/St_Johns", 2009),  # at 00:01
    ("America/Sao_Paulo", 2018),  # midnight does not exist
    ("Africa/Cairo", 2027),  # neither here
    ("Asia/Beirut", 2027),  # nor here
    ("America/Santiago", 2027),  # nor here, in the south
    ("Africa/Casablanca", 2027),  # twice within weeks, around Ramadan
    ("Europe/Dublin", 2027),  # winter is the exception
    ("Antarctica/Troll", 2027),  # by two hours
    ("Pacific/Apia", 2011),  # a day is left out
    ("Pacific/Kwajalein", 1993),  # likewise
    ("Asia/Kathmandu", 1985),  # from +5:30 to +5:45
    ("America/Caracas", 2007),  # half an hour back, for good
    ("Asia/Pyongyang", 2018),  # half an hour forth, for good
    ("Europe/Moscow", 2014),  # an hour back, for good
    ("Asia/Gaza", 2040),  # two changes within a week
]
CHANGES = [(zone, at) for zone, year in ODD for at in cron_oracle.changes(zone, year)]
QUIET = [(zone, datetime(2027, 2, 28, tzinfo=UTC)) for zone in ("UTC", "Asia/Kathmandu", "Asia/Kolkata")]


def test_the_zones_change_as_this_list_says() -> None:
    assert {zone for zone, _ in CHANGES} == {zone for zone, _ in ODD}
    assert len(CHANGES) >= 30


@lru_cache(maxsize=8)
def clock_around(zone: str, at: datetime) -> Clock:
    return Clock.of(zone, at - 3 * DAYS, at + 3 * DAYS)


def instants(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """What the code says: from `start` on, up to before `end`."""
    found = []
    expression = checked_expression(expression)
    at = next_instant(expression, zone_of(zone), start - SECOND)
    while at is not None and at < end:
        assert not found or at > found[-1]
        found.append(at)
        at = next_instant(expression, zone_of(zone), at)
    return found


def terms(low: int, high: int, likely: list[int]) -> st.SearchStrategy[str]:
    number = st.one_of(st.sampled_from(likely), st.integers(low, high))
    pair = st.tuples(number, number).map(sorted).map(lambda p: f"{p[0]}-{p[1]}")
    span = st.one_of(pair, st.just(f"{low}-{high}"), st.just("*"))
    step = st.one_of(span, st.just(str(low))).flatmap(
        lambda values: st.integers(1, high + 1).map(lambda n: f"{values}/{n}")
    )
    return st.one_of(number.map(str), number.map(str), span, step)


def fields(low: int, high: int, likely: list[int]) -> st.SearchStrategy[str]:
    return st.lists(terms(low, high, likely), min_size=1, max_size=3).map(",".join)


MINUTES = fields(0, 59, [0, 1, 15, 30, 45, 59])
HOURS = fields(0, 23, [0, 1, 2, 3, 23])
DAY_FIELDS = st.sampled_from(["*"] * 6 + ["*/2", "1", "28-31", "1-7,15", "29/2"])
MONTH_FIELDS = st.sampled_from(["*"] * 6 + ["MAR,OCT", "1-6", "*/3", "12"])
WEEKDAY_FIELDS = st.sampled_from(["*"] * 6 + ["SUN", "7", "1-5", "5/1", "SAT,SUN", "*/2"])
EXPRESSIONS = st.tuples(MINUTES, HOURS, DAY_FIELDS, MONTH_FIELDS, WEEKDAY_FIELDS).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.sampled_from(CHANGES + QUIET))
def test_any_expression_around_any_change_fires_as_the_rule_says(expression: str, place: tuple[str, datetime]) -> None:
    zone, at = place
    start, end = at - AROUND, at + AROUND
    expected = [fire for fire in cron_oracle.fires(expression, clock_around(zone, at)) if start <= fire < end]
    assert instants(expression, zone, start, end) == expected


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.sampled_from(CHANGES), st.integers(-100_000_000, 100_000_000))
def test_asked_at_any_moment_it_names_the_next_instant(
    expression: str, place: tuple[str, datetime], milliseconds: int
) -> None:
    """Also in the second pass of an overlap, and between two seconds."""
    zone, at = place
    after = at + timedelta(milliseconds=milliseconds / 1000 if milliseconds % 2 else milliseconds)
    later = [fire for fire in cron_oracle.fires(expression, clock_around(zone, at)) if after < fire < at + 2 * DAYS]
    found = next_instant(checked_expression(expression), zone_of(zone), after)
    assert (found if found is not None and found < at + 2 * DAYS else None) == (later[0] if later else None)


@pytest.mark.parametrize("place", CHANGES, ids=lambda place: f"{place[0]} {place[1]:%Y-%m-%d}")
@pytest.mark.parametrize(
    "expression",
    ["30 2 * * *", "0 0 * * *", "1 0 * * *", "15,45 0-3 * * *", "* * * * *", "*/20 2 * * *", "30 */1 * * *"],
)
def test_the_usual_expressions_at_every_change(expression: str, place: tuple[str, datetime]) -> None:
    zone, at = place
    start, end = at - AROUND, at + AROUND
    expected = [fire for fire in cron_oracle.fires(expression, clock_around(zone, at)) if start <= fire < end]
    assert instants(expression, zone, start, end) == expected
    assert expected


def on(expression: str, zone: str, day: str) -> list[str]:
    """The instants of a local day, in UTC."""
    midnight = datetime.fromisoformat(day)
    start, end = ((midnight + days).replace(tzinfo=zone_of(zone)).astimezone(UTC) for days in (0 * DAYS, DAYS))
    return [f"{at:%m-%dT%H:%MZ}" for at in instants(expression, zone, start, end)]


def test_berlin_as_promised() -> None:
    assert on("30 2 * * *", "Europe/Berlin", "2027-03-28") == ["03-28T01:00Z"]
    assert on("30 2 * * *", "Europe/Berlin", "2027-10-31") == ["10-31T00:30Z"]
    assert len(on("0 * * * *", "Europe/Berlin", "2027-10-31")) == 25
    assert len(on("*/15 * * * *", "Europe/Berlin", "2027-10-31")) == 100
    assert len(on("0-59/15 0-23 * * *", "Europe/Berlin", "2027-10-31")) == 100
    assert len(on("0 * * * *", "Europe/Berlin", "2027-03-28")) == 23


def test_two_fixed_times_in_one_gap_are_one_instant() -> None:
    assert on("0,30 2 * * *", "Europe/Berlin", "2027-03-28") == ["03-28T01:00Z"]
    assert on("0 2,3 * * *", "Europe/Berlin", "2027-03-28") == ["03-28T01:00Z"]


def test_a_fixed_time_of_the_day_that_samoa_left_out_fires_as_the_next_day_begins() -> None:
    """2011-12-30 is nowhere in Apia; its three o'clock fires at the first instant after it."""
    start, end = (datetime(2011, 12, day, 10, tzinfo=UTC) for day in (29, 31))
    assert [f"{at:%d %H}" for at in instants("0 3 * * *", "Pacific/Apia", start, end)] == ["29 13", "30 10", "30 13"]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 29 2 *", "2097-01-01", "2104-02-29"),  # 2100 is no leap year
        ("0 0 * 2 MON#5", "2027-01-01", "2044-02-29"),
        ("0 0 L * *", "2027-02-01", "2027-02-28"),
        ("0 0 LW * *", "2027-02-01", "2027-02-26"),
        ("0 0 * * 5L", "2027-02-01", "2027-02-26"),
        ("0 0 * * 5#2", "2027-02-01", "2027-02-12"),
        ("0 0 13 * 5", "2027-02-01", "2027-02-05"),  # classic cron: either
        ("0 0 */13 * 5", "2027-02-02", "2027-05-14"),  # begins with a star: both
        ("@monthly", "2027-02-01", "2027-03-01"),
        ("  @Weekly ", "2027-02-01", "2027-02-07"),
    ],
)
def test_days(expression: str, after: str, expected: str) -> None:
    found = next_instant(checked_expression(expression), zone_of("UTC"), datetime.fromisoformat(f"{after}T00:00Z"))
    assert f"{found:%Y-%m-%d}" == expected


@pytest.mark.parametrize(
    ("expression", "elapsed"),
    [
        ("0 3 * * *", False),
        ("* 3 * * *", True),
        ("0 * * * *", True),
        ("*/90 3 * * *", True),
        ("0-59 3 * * *", True),
        ("00-59/7 3 * * *", True),
        ("0 0-23 * * *", True),
        ("0 0-23/6 * * *", True),
        ("0/15 3 * * *", True),
        ("5,*/30 3 * * *", True),
        ("1-59 3 * * *", False),
        ("0-58 1-23 * * *", False),
        ("0-5/2 0-22/2 * * *", False),
        ("0 0 */2 */2 */2", False),
    ],
)
def test_wildcards(expression: str, elapsed: bool) -> None:
    assert follows_elapsed_time(checked_expression(expression)) is elapsed


@pytest.mark.parametrize("expression", ["5-5/2 3 * * *", "05-5/2 3 * * *"])
def test_a_range_of_one_with_a_step_is_that_one(expression: str) -> None:
    """Cronsim alone reads it as 5/2: at 5, 7, 9 and so on."""
    assert on(expression, "UTC", "2027-03-28") == ["03-28T03:05Z"]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",  # seconds: Every(seconds=...)
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "0 0 30 2 *",
        "a b c d e",
        "@reboot",
        "@every 5m",
        "\u0661 * * * *",
        "0 " * 200,
        None,
        5,
        b"* * * * *",
    ],
)
def test_what_is_no_expression_is_refused_by_name(expression: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_expression(expression)
    assert caught.value.field == "cron"


@settings(max_examples=500)
@given(st.text(alphabet="0123456789*/,-#LWlw MONsun@\u0665", max_size=30))
def test_nothing_but_invalid_input_comes_out_of_a_bad_expression(text: str) -> None:
    try:
        expression = checked_expression(text)
    except InvalidInput:
        return
    assert next_instant(expression, zone_of("Europe/Berlin"), datetime(2027, 1, 1, tzinfo=UTC)) is not None


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "America", "../etc/passwd", "/etc/passwd", "localtime", "CET ", None, 1, "a\x00b"]
)
def test_an_unknown_zone_is_refused_by_name(name: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        zone_of(name)
    assert caught.value.field == "timezone"

"""When a cron expression fires, by brute force: every minute of UTC is looked at, nothing is computed ahead.

Written from the rule, not from the code: no cronsim, no arithmetic with offsets. It knows numbers, names,
ranges, lists and steps, and classic cron's way with days: when day of month and weekday are both given, either
will do; when one of them begins with a star, both must fit.

The rule: a *fixed* local time (neither minute nor hour is a wildcard) fires once: in a gap at the first instant
after it, in an overlap at the first pass. With a *wildcard* minute or hour (`*`, `*/n`, or a range over the whole
field) each real minute whose local time fits fires.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

MINUTE: Final = timedelta(minutes=1)
WEEKDAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
NUMBERS: Final = {name: n for names, first in ((WEEKDAYS, 0), (MONTHS, 1)) for n, name in enumerate(names, first)}
WHOLE: Final = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


@dataclass(frozen=True)
class Clock:
    """What the clocks of a zone show from `start` to `end`, minute by minute."""

    minutes: list[tuple[datetime, datetime]]
    """(UTC, local time without its zone)"""

    @classmethod
    def of(cls, zone: str, start: datetime, end: datetime) -> Clock:
        """Look at the clock each minute."""
        shown = []
        at = start
        while at < end:
            shown.append((at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)))
            at += MINUTE
        return cls(shown)


def fires(expression: str, clock: Clock) -> list[datetime]:
    """All instants at which the expression fires while the clock is looked at."""
    fields = expression.split()
    if is_wildcard(fields[0], 0) or is_wildcard(fields[1], 1):
        return [at for at, local in clock.minutes if fits(fields, local)]
    return list(dict.fromkeys(fixed(fields, clock)))


def fixed(fields: list[str], clock: Clock) -> Iterator[datetime]:
    """Fire each local time of the timetable as the clock first shows it, or has jumped over it."""
    fired: set[datetime] = set()
    for (_, before), (at, now) in zip(clock.minutes, clock.minutes[1:], strict=False):
        jumped_over = (before + MINUTE * step for step in range(1, (now - before) // MINUTE))
        for local in [*jumped_over, now]:
            if fits(fields, local) and local not in fired:
                fired.add(local)
                yield at


def is_wildcard(field: str, place: int) -> bool:
    """`*`, `*/n`, a range over the whole field: alone, with a step, or as one of a list."""
    low, high = WHOLE[place]
    whole = {"*", f"{low}-{high}"}
    return any(term.split("/")[0] in whole or term.startswith(f"{low}/") for term in field.split(","))


def fits(fields: list[str], local: datetime) -> bool:
    """Whether a local time is one of the expression's."""
    minute, hour, day, month, weekday = fields
    if not (holds(minute, 0, local.minute) and holds(hour, 1, local.hour) and holds(month, 3, local.month)):
        return False
    sunday_is_0 = (local.weekday() + 1) % 7
    day_fits = holds(day, 2, local.day)
    weekday_fits = holds(weekday, 4, sunday_is_0) or (sunday_is_0 == 0 and holds(weekday, 4, 7))
    if day.startswith("*") or weekday.startswith("*"):
        return day_fits and weekday_fits
    return day_fits or weekday_fits


def holds(field: str, place: int, value: int) -> bool:
    """Whether a field holds a number."""
    return value in meant(field, place)


@lru_cache(maxsize=1000)
def meant(field: str, place: int) -> frozenset[int]:
    """The numbers of a field."""
    return frozenset(number for term in field.split(",") for number in numbers(term, place))


def numbers(term: str, place: int) -> range:
    """The numbers of one term of a list."""
    values, _, step = term.partition("/")
    low, high = WHOLE[place]
    if values != "*":
        first, _, last = values.partition("-")
        low = number(first)
        high = number(last) if last else high if step else low
    return range(low, high + 1, int(step or 1))


def number(text: str) -> int:
    """A number, or the name of a weekday or month."""
    return NUMBERS[text] if text in NUMBERS else int(text)


def changes(zone: str, year: int) -> list[datetime]:
    """When the clocks of a zone change in a year of UTC, to the minute."""
    info = ZoneInfo(zone)
    found = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        ahead = at + timedelta(hours=6)
        if ahead.astimezone(info).utcoffset() != at.astimezone(info).utcoffset():
            while ahead.astimezone(info).utcoffset() != at.astimezone(info).utcoffset():
                at += MINUTE
            found.append(at)
        at = ahead
    return found

"""When a cron expression fires, in a time zone, over changes of the clock. No clock, no I/O.

Five fields: minute, hour, day of month, month, day of week (``cronsim`` parses them and walks plain local
times). What happens when the clocks change is decided here, by one of two rules:

    fixed time     neither minute nor hour is a wildcard. Each local time of the timetable fires once:
                   in an overlap at its first pass, in a gap at the first instant after the gap.

                       clock   01:59 ─▶ 03:00              02:59 ─▶ 02:00 … 02:59 ─▶ 03:00
                       02:30            ▲ here             ▲ here, not in the second pass

    elapsed time   minute or hour is a wildcard: ``*``, ``*/n`` or a range over the whole field. Fires at each
                   real minute whose local time fits, so hours that come twice fire twice, and hours that
                   are left out do not fire.

Lengths of time are counted in UTC only. Python's own arithmetic on zoned datetimes ignores changes of the
clock, so no zoned datetime is added to or compared here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from lodger.errors import InvalidInput

FIELDS: Final = 5
MAX_LENGTH: Final = 200
ALLOWED: Final = "five fields 'minute hour day month weekday', such as '0 3 * * *', or @daily and the like"
NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
HOST_DEPENDENT: Final = frozenset({"localtime", "posixrules", "Factory"})
STEPPED_RANGE: Final = re.compile(r"(\w+)-(\w+)/[0-9]+")
DAY: Final = timedelta(days=1)
"""Step of the search for clock changes. No zone has ever changed twice within three days (tzdata 2026)."""
SECOND: Final = timedelta(seconds=1)
FIRST: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are naive here


def checked_expression(value: object) -> str:
    """Return the expression in its canonical spelling, or raise InvalidInput saying which field is wrong."""
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        raise InvalidInput("cron", value, ALLOWED)
    expression = NICKNAMES.get(value.strip().lower(), " ".join(value.upper().split()))
    expression = STEPPED_RANGE.sub(_plain_if_single, expression)
    if len(expression.split()) != FIELDS or not expression.isascii():
        raise InvalidInput("cron", value, ALLOWED)
    try:
        next(CronSim(expression, FIRST))
    except CronSimError as error:
        raise InvalidInput("cron", value, f"{ALLOWED} ({error})") from None
    except StopIteration:
        raise InvalidInput("cron", value, "an expression that ever fires (looked for 50 years)") from None
    return expression


def _plain_if_single(term: re.Match[str]) -> str:
    """Return ``5`` for ``5-5/2``, which cronsim would read as ``5/2``: from 5 on."""
    low, high = term[1], term[2]
    same = low == high or (low.isdigit() and high.isdigit() and int(low) == int(high))
    return low if same else term[0]


def zone_of(name: object) -> ZoneInfo:
    """Return the time zone, or raise InvalidInput: an unknown one is a mistake, never UTC."""
    try:
        if not isinstance(name, str) or name in HOST_DEPENDENT:
            raise ValueError
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: "America" is a directory
        raise InvalidInput("timezone", name, "a name of the IANA time zone database, such as Europe/Berlin") from None


def next_instant(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Return the first instant (UTC) strictly after ``after`` (aware); None when there is none in 50 years."""
    after = after.astimezone(UTC)
    step = _next_elapsed if follows_elapsed_time(expression) else _next_fixed
    return step(expression, zone, after)


def follows_elapsed_time(expression: str) -> bool:
    """Whether minute or hour is a wildcard."""
    minute, hour, *_ = expression.split()
    return _is_wildcard(minute, 59) or _is_wildcard(hour, 23)


def _is_wildcard(field: str, last: int) -> bool:
    return any(_covers_all(term, last) for term in field.split(","))


def _covers_all(term: str, last: int) -> bool:
    """Whether a term is ``*`` or a range over the whole field, with or without a step (0/15 is 0-59/15)."""
    values, slash, _step = term.partition("/")
    if values == "*":
        return True
    low, dash, high = values.partition("-")
    return int(low) == 0 and (int(high) == last if dash else bool(slash))


# fixed local times


def _next_fixed(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Walk the timetable's local times onward from the local time now.

    Those before it have fired: the clock has shown them, or skipped them. Those after it may have fired as
    well, when the clock has been put back since; these are passed over.
    """
    for local in CronSim(expression, _local(after, zone)):
        instant = _reached(local, zone)
        if instant > after:
            return instant
    return None


def _reached(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant at which the clocks of ``zone`` have reached ``local``."""
    before = local.replace(tzinfo=zone, fold=0).utcoffset()
    behind = local.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert behind is not None
    if before >= behind:  # shown once, or twice: the offset before the change is that of the first pass
        return (local - before).replace(tzinfo=UTC)
    early, late = (local - behind).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    return _change_between(early - SECOND, late, zone)  # in a gap: when it was jumped over


# elapsed time


def _next_elapsed(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Walk the stretches between two changes of the clock; in each, local time is UTC and a constant."""
    last = after.replace(microsecond=0)  # searched up to and with it
    while True:
        offset = _offset(last + SECOND, zone)
        local = next(CronSim(expression, last.replace(tzinfo=None) + offset), None)
        if local is None:
            return None
        instant = (local - offset).replace(tzinfo=UTC)
        change = _next_change(last + SECOND, instant, zone)
        if change is None:
            return instant
        last = change - SECOND  # nothing fits before the change


def _next_change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first instant in (start, end] with another offset than ``start``, to the second."""
    offset = _offset(start, zone)
    while start < end:
        ahead = min(start + DAY, end)
        if _offset(ahead, zone) != offset:
            return _change_between(start, ahead, zone)
        start = ahead
    return None


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return when the offset changes, to the second: after ``early``, no later than ``late``."""
    offset = _offset(early, zone)
    while late - early > SECOND:
        middle = early + ((late - early) // 2 // SECOND) * SECOND
        if _offset(middle, zone) == offset:
            early = middle
        else:
            late = middle
    return late


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, microsecond=0)

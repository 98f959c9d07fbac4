"""Timetables: cron expressions and intervals, as users write them and as rows store them.

``cronsim`` and the time zones are imported when the first Cron is made, not with Lodger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lodger.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields (minute, hour, day, month, weekday) in a time zone.

    ``Cron("0 3 * * *", timezone="Europe/Berlin")``. What happens when clocks change: see docs/schedules.md.
    """

    expression: str
    timezone: str = field(default="UTC", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what can't be read; keep one spelling."""
        from lodger.model.cron import checked_expression, zone_of

        object.__setattr__(self, "expression", checked_expression(self.expression))
        zone_of(self.timezone)

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first instant strictly after ``after``, in UTC; None: it never fires again."""
        from lodger.model.cron import next_instant, zone_of

        return next_instant(self.expression, zone_of(self.timezone), after)

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.expression} ({self.timezone})"


@dataclass(frozen=True, slots=True, init=False)
class Every:
    """An interval of real time, a second to a year: ``Every(minutes=5)`` or ``Every(timedelta(minutes=5))``.

    Its instants are the multiples of the interval since 1970-01-01 UTC, the same for every process and after
    every deploy: ``Every(minutes=5)`` fires at :00, :05, :10 …
    """

    interval: timedelta

    def __init__(
        self,
        interval: timedelta | None = None,
        /,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> None:
        """Add up what is given; raises InvalidInput outside a second to 366 days."""
        try:
            total = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds) + (interval or timedelta())
        except (TypeError, OverflowError, ValueError):
            given = interval or {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
            raise InvalidInput("every", given, "a timedelta or numbers of days, hours, minutes, seconds") from None
        if not SHORTEST <= total <= LONGEST:
            raise InvalidInput("every", str(total), "one second to 366 days")
        object.__setattr__(self, "interval", total)

    def next_after(self, after: datetime) -> datetime:
        """Return the first instant strictly after ``after``, in UTC."""
        return EPOCH + ((after - EPOCH) // self.interval + 1) * self.interval

    def __str__(self) -> str:
        """Return it for people."""
        seconds = self.interval.total_seconds()
        for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
            if seconds % size == 0:
                return f"every {seconds / size:g} {unit}"
        return f"every {seconds:g} s"


Timetable: TypeAlias = Cron | Every


def checked_timetable(value: object) -> Timetable:
    """Return ``value`` or raise InvalidInput."""
    if not isinstance(value, Cron | Every):
        raise InvalidInput("timetable", value, 'Cron("0 3 * * *", timezone="Europe/Berlin") or Every(minutes=5)')
    return value


def timetable_text(timetable: Timetable) -> str:
    """Return a timetable as the JSON text of its row."""
    if isinstance(timetable, Cron):
        return json.dumps({"cron": timetable.expression, "timezone": timetable.timezone})
    return json.dumps({"every_us": timetable.interval // MICROSECOND})


def timetable_of(text: str) -> Timetable:
    """Return the timetable of a row.

    Raises InvalidInput for one that this host can't read: its time zones may be older than the writer's.
    """
    make: Callable[[dict[str, Any]], Timetable] = _cron_of if "cron" in (stored := json.loads(text)) else _every_of
    return make(stored)


def _cron_of(stored: dict[str, Any]) -> Cron:
    return Cron(stored["cron"], timezone=stored["timezone"])


def _every_of(stored: dict[str, Any]) -> Every:
    return Every(stored["every_us"] * MICROSECOND)


def due_instants(timetable: Timetable, first: datetime, now: datetime, limit: int) -> list[datetime]:
    """Return the instants from ``first`` (one of them) to ``now``, in order; of many the newest ``limit``.

    Looks back from now in steps that grow, so that a year of downtime does not mean counting its seconds.
    """
    reach = timedelta(minutes=1)
    while True:
        start = max(first, now - reach)
        found = _between(timetable, start, now)
        if start == first or len(found) >= limit:
            return found[-limit:]
        reach *= 4


def _between(timetable: Timetable, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants from ``start`` to ``end``, both included."""
    found: list[datetime] = []
    instant = timetable.next_after(start - MICROSECOND)
    while instant is not None and instant <= end:
        found.append(instant)
        instant = timetable.next_after(instant)
    return found

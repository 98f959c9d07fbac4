"""Every error that Lodger raises, under one root.

LodgerError
├── ConfigurationError        a setting, a variable or an option has a bad value
│   ├── DatabaseUrlMissing    nobody said which database to use
│   └── DriverMissing         the database's Python driver is not installed
├── InvalidInput              a value given to enqueue, using, cancel … is not allowed
│   ├── InvalidArguments      the job's own arguments do not fit its signature
│   └── InvalidPayload        a value cannot be stored as JSON within the limits
├── SchemaError               Lodger's tables are missing, too old or too new
├── UniqueConflict            another run holds the unique key
├── UniqueTimeout             a transaction that does not end may be taking the unique key
├── RunNotFound               no run has this id
├── ScheduleNotFound          no schedule has this id
├── ScheduleDeclared          code declares this schedule: change it there
├── WrongStatus               the run's status does not allow this
├── LeaseLost                 the run belongs to somebody else by now
└── ResultUnavailable         there is no result to return
    ├── RunFailed             the run ended FAILED
    ├── RunCancelled          the run ended CANCELLED
    └── ResultTimeout         the run has not ended yet
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SHOWN_VALUE_LENGTH: Final = 200
SHOWN_KEYS: Final = 5


class LodgerError(Exception):
    """Root of all errors of Lodger."""


class ConfigurationError(LodgerError):
    """A setting has a bad value; the text names the setting, the value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        """Say which ``field`` had which ``value`` and what is ``allowed``."""
        super().__init__(bad_value(field, value, allowed))
        self.field = field


class DatabaseUrlMissing(ConfigurationError):
    """No database was named; Lodger never falls back to a file of its own."""

    def __init__(self) -> None:
        """Name the variable to set."""
        LodgerError.__init__(
            self,
            "DATABASE_URL is not set: it needs a URL such as postgresql://user@host/db, mysql://user@host/db or "
            "sqlite:////path/app.db (or Lodger(url=...))",
        )
        self.field = "DATABASE_URL"


class DriverMissing(ConfigurationError):
    """The Python driver of the database is not installed; the text names the extra."""

    def __init__(self, database: str, extra: str) -> None:
        """Name the ``database`` and the ``extra`` that brings its driver."""
        LodgerError.__init__(self, f"the driver for {database} is not installed: pip install 'lodger[{extra}]'")
        self.field = "DATABASE_URL"


class InvalidInput(LodgerError, ValueError):
    """A value is not allowed; the text names the field, the value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        """Say which ``field`` had which ``value`` and what is ``allowed``."""
        super().__init__(bad_value(field, value, allowed))
        self.field = field


class InvalidArguments(InvalidInput):
    """The job's arguments do not fit its signature or its annotations."""


class InvalidPayload(InvalidInput):
    """A value cannot be stored: not JSON, too large or too deep."""


class SchemaError(LodgerError):
    """Lodger's tables are missing, too old or too new; the text names the command to run."""


class UniqueConflict(LodgerError):
    """Another run holds the unique key."""

    def __init__(self, key: str, holder: str, status: str) -> None:
        """Name the ``key``, the run that holds it and that run's ``status``."""
        super().__init__(f"unique key {key!r} is held by run {holder} ({status})")
        self.key = key
        self.holder = holder
        self.status = status


class UniqueTimeout(LodgerError, TimeoutError):
    """Whether the unique key is free is up to a transaction that has not ended: nothing was enqueued, try again.

    In a transaction of the app's on PostgreSQL this ends it, as every error of the server's does.
    """

    def __init__(self, keys: Sequence[str], seconds: float) -> None:
        """Name the ``keys`` that were asked for and how long they were waited for."""
        shown = ", ".join(map(repr, keys[:SHOWN_KEYS])) + (", …" if len(keys) > SHOWN_KEYS else "")
        super().__init__(f"unique key {shown}: a transaction that has not ended within {seconds:g} s may be taking it")
        self.keys = tuple(keys)


class RunNotFound(LodgerError, LookupError):
    """No run has this id (it may have been pruned)."""

    def __init__(self, run_id: str) -> None:
        """Name the run that was asked for."""
        super().__init__(f"no run {run_id}: it never existed or its retention has passed")
        self.run_id = run_id


class ScheduleNotFound(LodgerError, LookupError):
    """No schedule has this id."""

    def __init__(self, schedule_id: str) -> None:
        """Name the schedule that was asked for."""
        super().__init__(f"no schedule {schedule_id}: it was never declared or stored, or it was deleted")
        self.schedule_id = schedule_id


class ScheduleDeclared(LodgerError):
    """The schedule is declared in code, where it is to be changed or removed."""

    def __init__(self, schedule_id: str, action: str) -> None:
        """Say what was tried on which schedule."""
        super().__init__(
            f"cannot {action} schedule {schedule_id}: code declares it; change it there, or choose another id"
        )
        self.schedule_id = schedule_id


class WrongStatus(LodgerError):
    """The run's status does not allow this."""

    def __init__(self, run_id: str, status: str, action: str, allowed: str) -> None:
        """Say what was tried on which run, and which statuses allow it."""
        super().__init__(f"cannot {action} run {run_id}: it is {status}; allowed: {allowed}")
        self.run_id = run_id
        self.status = status


class LeaseLost(LodgerError):
    """The run belongs to somebody else by now: stop, write nothing, do not retry."""

    def __init__(self, run_id: str, fence: int) -> None:
        """Name the run and the fence that is no longer valid."""
        super().__init__(f"run {run_id}: fence {fence} is no longer valid, another worker owns the run")
        self.run_id = run_id
        self.fence = fence


class ResultUnavailable(LodgerError):
    """There is no result to return."""

    def __init__(self, run_id: str, message: str) -> None:
        """Name the run and say why it has no result."""
        super().__init__(f"run {run_id} {message}")
        self.run_id = run_id


class RunFailed(ResultUnavailable):
    """The run ended FAILED."""


class RunCancelled(ResultUnavailable):
    """The run ended CANCELLED."""


class ResultTimeout(ResultUnavailable, TimeoutError):
    """The run has not ended within the time given."""


def bad_value(field: str, value: object, allowed: str) -> str:
    """Return ``field: value is not allowed; allowed: ...`` with the value cut to a readable length."""
    shown = repr(value)
    if len(shown) > SHOWN_VALUE_LENGTH:
        shown = shown[:SHOWN_VALUE_LENGTH] + "…"
    return f"{field}: {shown} is not allowed; allowed: {allowed}"

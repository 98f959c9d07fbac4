"""How ids and times look in each database, and back again.

Python                        PostgreSQL       MariaDB, MySQL     SQLite
id: text of 36                uuid             BINARY(16)         BLOB
time: aware datetime in UTC   timestamptz      DATETIME(6)        integer microseconds since 1970
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lodger.errors import InvalidInput
from lodger.model.ids import bytes_of, text_of
from lodger.store.sql import DialectName

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def id_in(dialect: DialectName, text: str | None) -> Any:
    """Return an id as a parameter."""
    return text if dialect == "postgresql" or text is None else bytes_of(text)


def id_out(value: Any) -> str:
    """Return a stored id as text (drivers answer text, bytes or uuid.UUID)."""
    return text_of(bytes(value)) if isinstance(value, bytes | bytearray | memoryview) else str(value)


def id_or_none(value: Any) -> str | None:
    """Return a stored id as text, or None."""
    return None if value is None else id_out(value)


def time_in(dialect: DialectName, value: datetime | None) -> Any:
    """Return an aware time as a parameter; a naive one is refused, its zone would be a guess."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise InvalidInput("run_at", value, "a datetime with a time zone, such as datetime.now(UTC)")
    utc = value.astimezone(UTC)
    match dialect:
        case "postgresql":
            return utc
        case "mysql":
            return utc.replace(tzinfo=None)
        case "sqlite":
            return (utc - EPOCH) // MICROSECOND


def time_out(value: Any) -> datetime | None:
    """Return a stored time as an aware datetime in UTC."""
    if value is None:
        return None
    if isinstance(value, int):
        return EPOCH + timedelta(microseconds=value)
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]
    return value.astimezone(UTC)  # type: ignore[no-any-return]


def array_in(values: Iterable[Any]) -> str:
    """Return ``values`` as the text of a PostgreSQL array (see 8.15.6 of its documentation).

    It is cast twice, CAST(CAST(:values AS text) AS kind[]), so that every driver takes it for text. One string is
    bound in a tenth of the time that psycopg takes for a list.
    """
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int():
            return str(value)
        case bytes():
            return f'"\\\\x{value.hex()}"'
        case datetime():
            return f'"{value.isoformat()}"'
        case _:
            raise TypeError(type(value))


def microseconds(seconds: float) -> int:
    """Return ``seconds`` in whole microseconds, as ``Terms.after`` expects."""
    return round(seconds * 1_000_000)

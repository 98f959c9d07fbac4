"""SQL as text: one function per statement, the dialects side by side on one screen.

A statement is a function of ``Terms`` (the dialect's words and the table names) that returns SQL
with ``:name`` parameters. ``@statement`` turns it into a ``Statement``, which renders it once per
dialect, table prefix and parameter style and keeps the text: on the hot path nothing is built.

Why text and not SQLAlchemy Core: the same statement must run on the app's own connection, whatever
driver that is (psycopg, asyncpg, sqlite3, aiosqlite, PyMySQL, asyncmy), and building or compiling Core
costs more than the hot statements themselves. See docs/decisions/0002-sql-as-text.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

DialectName: TypeAlias = Literal["postgresql", "mysql", "sqlite"]
ParamStyle: TypeAlias = Literal["named", "pyformat", "numeric", "format", "qmark"]
Params: TypeAlias = Mapping[str, Any]

PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Tables:
    """The table names under one prefix (and, on PostgreSQL, one schema)."""

    prefix: str = "lodger_"
    schema: str | None = None

    def name(self, noun: str) -> str:
        """Return the qualified name of the table of ``noun``."""
        bare = f"{self.prefix}{noun}"
        return f"{self.schema}.{bare}" if self.schema else bare


@dataclass(frozen=True, slots=True)
class Terms:
    """The words a statement is written with: this dialect's clock, types and table names."""

    dialect: DialectName
    tables: Tables

    @property
    def run(self) -> str:
        """Return the table of runs."""
        return self.tables.name("run")

    @property
    def attempt(self) -> str:
        """Return the table of attempts."""
        return self.tables.name("attempt")

    @property
    def worker(self) -> str:
        """Return the table of workers."""
        return self.tables.name("worker")

    @property
    def queue(self) -> str:
        """Return the table of queues that were paused."""
        return self.tables.name("queue")

    @property
    def log(self) -> str:
        """Return the table of log lines."""
        return self.tables.name("log")

    @property
    def schedule(self) -> str:
        """Return the table of schedules."""
        return self.tables.name("schedule")

    @property
    def fire(self) -> str:
        """Return the table of instants that were fired."""
        return self.tables.name("fire")

    @property
    def scheduler(self) -> str:
        """Return the table of schedule daemons."""
        return self.tables.name("scheduler")

    @property
    def declaration(self) -> str:
        """Return the table of which process declares which schedule."""
        return self.tables.name("declaration")

    @property
    def meta(self) -> str:
        """Return the table of facts about the schema itself."""
        return self.tables.name("meta")

    @property
    def now(self) -> str:
        """Return the database's clock, the only one that says what is due or expired.

        PostgreSQL: the statement's start (stable, so an index can be searched with it; now() would
        be the start of the app's transaction). SQLite: microseconds since 1970, in steps of 1 ms.
        """
        match self.dialect:
            case "postgresql":
                return "statement_timestamp()"
            case "mysql":
                return "UTC_TIMESTAMP(6)"
            case "sqlite":
                return "(CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)"

    def after(self, microseconds: str) -> str:
        """Return the clock plus ``microseconds`` (a parameter or expression; negative for the past)."""
        match self.dialect:
            case "postgresql":
                return f"({self.now} + CAST({microseconds} AS bigint) * interval '1 microsecond')"
            case "mysql":
                return f"({self.now} + INTERVAL {microseconds} MICROSECOND)"
            case "sqlite":
                return f"({self.now} + {microseconds})"

    def time(self, parameter: str) -> str:
        """Return a time given as ``parameter`` where PostgreSQL can't tell its type from the place it stands in."""
        return f"CAST({parameter} AS timestamptz)" if self.dialect == "postgresql" else parameter

    def for_update(self, *, skip_locked: bool = False) -> str:
        """Return the row-locking clause; SQLite has one writer and needs none."""
        if self.dialect == "sqlite":
            return ""
        return "FOR UPDATE SKIP LOCKED" if skip_locked else "FOR UPDATE"

    def latest(self) -> str:
        """Return the clause with which a read inside the app's transaction sees what is committed by now.

        MariaDB and MySQL would answer from the transaction's snapshot (REPEATABLE READ is their default) and
        not see the row that has just stopped an insert.
        """
        return "LOCK IN SHARE MODE" if self.dialect == "mysql" else ""

    def among(self, column: str, parameter: str) -> str:
        """Return ``column`` is one of the texts in ``parameter``, as constant text.

        PostgreSQL takes an array; the others take one comma-separated text (names hold no comma),
        since an IN list would be a new statement for every length.
        """
        match self.dialect:
            case "postgresql":
                return f"{column} = ANY(CAST(:{parameter} AS text[]))"
            case "mysql":
                return f"FIND_IN_SET({column}, :{parameter})"
            case "sqlite":
                return f"instr(:{parameter}, ',' || {column} || ',')"


class Statement:
    """One statement; ``text`` gives its SQL for a dialect and parameter style."""

    __slots__ = ("_rendered", "build", "name")

    def __init__(self, build: Callable[[Terms], str], name: str = "") -> None:
        """Keep the function that writes the SQL; ``name`` where the function's own says too little."""
        self.build = build
        self.name = name or build.__name__
        self._rendered: dict[tuple[DialectName, Tables, ParamStyle], tuple[str, tuple[str, ...]]] = {}

    def __repr__(self) -> str:
        """Return the statement's name."""
        return f"Statement({self.name})"

    def render(self, dialect: DialectName, tables: Tables, style: ParamStyle) -> tuple[str, tuple[str, ...]]:
        """Return the SQL and, for the styles without names, the parameters' order."""
        key = (dialect, tables, style)
        found = self._rendered.get(key)
        if found is None:
            found = restyle(self.build(Terms(dialect, tables)), style)
            self._rendered[key] = found
        return found


def statement(build: Callable[[Terms], str]) -> Statement:
    """Turn a function that writes SQL into a Statement."""
    return Statement(build)


def restyle(sql: str, style: ParamStyle) -> tuple[str, tuple[str, ...]]:
    """Return ``sql`` with its ``:name`` parameters in the driver's ``style``, and their order.

    The order is empty for the styles with names, which take a mapping. "numeric" names each parameter
    once; "format" and "qmark" repeat what is used twice.
    """
    order: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in order:
            order.append(match[1])
        return f"${order.index(match[1]) + 1}"

    def placed(match: re.Match[str]) -> str:
        order.append(match[1])
        return "%s" if style == "format" else "?"

    match style:
        case "named":
            return sql, ()
        case "pyformat":
            return PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")), ()
        case "numeric":
            return PARAMETER.sub(numbered, sql), tuple(order)
        case "format":
            return PARAMETER.sub(placed, sql.replace("%", "%%")), tuple(order)
        case "qmark":
            return PARAMETER.sub(placed, sql), tuple(order)


def joined(names: Sequence[str], dialect: DialectName) -> Any:
    """Return ``names`` as the parameter that ``Terms.among`` expects."""
    match dialect:
        case "postgresql":
            return list(names)
        case "mysql":
            return ",".join(names)
        case "sqlite":
            return "," + ",".join(names) + ","

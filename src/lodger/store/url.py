"""Database URLs in whatever spelling the app uses, turned into the driver that Lodger uses itself."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lodger.errors import ConfigurationError, DatabaseUrlMissing, DriverMissing
from lodger.store.sql import DialectName

FAMILIES: Final[dict[str, DialectName]] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
ALLOWED: Final = "postgresql://…, mysql://…, mariadb://… or sqlite:////absolute/path (any driver spelling)"

# What other drivers call things; everything unknown is passed on for the driver to judge.
FOREIGN_QUERY: Final = frozenset(
    {"prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback", "statement_cache_size"}
)

SECRETS: Final = frozenset({"password", "passwd", "passphrase", "sslpassword", "ssl_key_password"})
"""Words of a URL's query that drivers take for a password."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A parsed URL: which engine, which driver, and how to show it."""

    dialect: DialectName
    url: URL

    @property
    def safe(self) -> str:
        """Return the URL without its password, for people and logs."""
        shown = {key: "***" if key in SECRETS else value for key, value in self.url.query.items()}
        return self.url.set(query=shown).render_as_string(hide_password=True)

    @property
    def path(self) -> str:
        """Return the path of SQLite's file, also when it is written as a URI (``file:…?uri=true``)."""
        return (self.url.database or "").removeprefix("file:")

    @property
    def identity(self) -> str:
        """Return a short name for 'the same database', the same in every process of a host."""
        if self.dialect == "sqlite":
            place = os.path.realpath(self.path)
        else:
            port = self.url.port or {"postgresql": 5432, "mysql": 3306}[self.dialect]
            place = f"{self.dialect}://{(self.url.host or 'localhost').lower()}:{port}/{self.url.database}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]


def parse(text: str | None) -> DatabaseUrl:
    """Return the URL that Lodger connects with.

    Raises DatabaseUrlMissing without a text, ConfigurationError for one that cannot be used and
    DriverMissing, naming the extra, when the driver is not installed.
    """
    if not text:
        raise DatabaseUrlMissing
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: the port is no number (or part of an unescaped password)
        raise ConfigurationError("DATABASE_URL", "a text that is no URL", ALLOWED) from None
    family = url.get_backend_name() if "+" in url.drivername else url.drivername
    dialect = FAMILIES.get(family)
    if dialect is None:
        raise ConfigurationError("DATABASE_URL", f"{url.drivername}://…", ALLOWED)
    return DatabaseUrl(dialect, _with_driver(_checked(url, dialect), dialect))


def _checked(url: URL, dialect: DialectName) -> URL:
    if dialect == "sqlite" and (not url.database or ":memory:" in url.database or "mode=memory" in str(url)):
        raise ConfigurationError(
            "DATABASE_URL", "an in-memory SQLite database", "a file: other processes and threads must see the runs"
        )
    if dialect != "sqlite" and not url.database:
        raise ConfigurationError("DATABASE_URL", url.render_as_string(), "a URL that names the database")
    return url


def _with_driver(url: URL, dialect: DialectName) -> URL:
    query = {key: value for key, value in url.query.items() if key not in FOREIGN_QUERY}
    match dialect:
        case "postgresql":
            if find_spec("psycopg") is None:
                raise DriverMissing("PostgreSQL", "postgresql")
            if "ssl" in query:  # asyncpg's word for libpq's sslmode
                query["sslmode"] = query.pop("ssl")
            return url.set(drivername="postgresql+psycopg", query=query)
        case "mysql":
            for module, driver in (("MySQLdb", "mysql+mysqldb"), ("pymysql", "mysql+pymysql")):
                if find_spec(module) is not None:
                    return url.set(drivername=driver, query=query)
            raise DriverMissing("MySQL and MariaDB", "mysql")
        case "sqlite":
            return url.set(drivername="sqlite+pysqlite", query=query)

"""The database as commands open it: clear words when it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lodger.errors import ConfigurationError, LodgerError
from lodger.settings import Settings
from lodger.store import migrations
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.store.url import parse

SHOWN: int = 300


@contextmanager
def opened(settings: Settings, *, makes: bool = False) -> Iterator[Database]:
    """Lend the database of DATABASE_URL. Raises LodgerError, naming the variable or command, when it can't be used.

    A SQLite file that is not there is not created by looking, only by who ``makes`` the tables.
    """
    url = parse(os.environ.get("DATABASE_URL"))
    database = Database(url, tables=Tables(settings.prefix, settings.schema or None), pool_size=1)
    if database.dialect == "sqlite":
        directory = Path(url.path).absolute().parent
        if not directory.is_dir():
            raise ConfigurationError(
                "DATABASE_URL", url.safe, f"a file in a directory that exists ({directory} does not)"
            )
        if not makes and not Path(url.path).exists():
            raise migrations.missing(database)
    try:
        yield database
    except LodgerError:
        raise
    except Exception as error:
        if not database.is_disconnect(error) and not database.is_passing(error):
            raise
        raise ConfigurationError("DATABASE_URL", url.safe, f"a database that answers ({_reason(error)})") from error
    finally:
        database.dispose()


def _reason(error: Exception) -> str:
    """Return the driver's own words in one line; drivers name the user and the host, never the password."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:SHOWN]

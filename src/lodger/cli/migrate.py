"""``lodger migrate``: create or upgrade Lodger's tables."""

from __future__ import annotations

import argparse
import os
from typing import Any

from lodger import settings as settings_module
from lodger.cli.connection import opened
from lodger.store import migrations
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.store.url import parse


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("migrate", help="create or upgrade Lodger's tables")
    parser.add_argument("--sql", action="store_true", help="print the SQL for this database instead of running it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Apply what is missing, or print everything."""
    settings = settings_module.read()
    if options.sql:
        tables = Tables(settings.prefix, settings.schema or None)
        print(migrations.script(Database(parse(os.environ.get("DATABASE_URL")), tables=tables)), end="")
        return 0
    with opened(settings, makes=True) as database:
        applied = migrations.migrate(database)
    what = f"applied {', '.join(map(str, applied))}" if applied else "nothing to do"
    print(f"{database.url.safe}: {what}; the schema is at version {migrations.LATEST}")
    return 0

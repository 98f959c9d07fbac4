"""``lodger scheduler``: a schedule daemon of its own."""

from __future__ import annotations

import argparse
import logging
import os
import signal
from typing import Any, Final

from lodger import settings as settings_module
from lodger.client.orphans import OrphanWatch
from lodger.scheduler.daemon import make_daemon
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.store.url import parse
from lodger.worker.declared import Inquiry

logger: Final = logging.getLogger("lodger.scheduler")


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("scheduler", help="fire schedules in a service of its own (workers do it too)")
    parser.add_argument("--app", help="the Lodger object, package.module:name (LODGER_APP)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fire until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = settings_module.read({"app": options.app})
    url = parse(os.environ.get("DATABASE_URL"))
    database = Database(url, tables=Tables(settings.prefix, settings.schema or None), pool_size=2)
    daemon = make_daemon(settings, database)
    stopping = _on_signals()
    logger.info(
        "role=scheduler placement=separate app=%s database=%s pid=%d signals=SIGTERM and SIGINT stop it",
        *(settings.app or "none (it declares nothing, and fires what others declare)", url.dialect, os.getpid()),
    )
    daemon.start()
    orphans = OrphanWatch(database, settings)  # of the runs that it creates
    orphans.mind_schedules()
    inquiry = Inquiry(settings.app, lambda declared: daemon.declare(declared.schedules))
    if settings.app:
        inquiry.ask()
    os.read(stopping, 1)
    inquiry.stop()
    orphans.close()
    daemon.stop()
    database.dispose()
    return 0


def _on_signals() -> int:
    """Return what becomes readable at a signal. A handler does no more than write: locks could be held."""
    readable, writable = os.pipe()

    def tell(_number: int, _frame: object) -> None:
        os.write(writable, b"\0")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    return readable

"""``lodger scheduler``: a schedule daemon of its own."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from lodger import settings as settings_module
from lodger.client.orphans import OrphanWatch
from lodger.scheduler.daemon import Daemon, make_daemon
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.store.url import parse
from lodger.worker.declared import NotDeclared, declared_by

logger: Final = logging.getLogger("lodger.scheduler")

AGAIN_SECONDS: Final = 60.0


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
    over = threading.Event()
    if settings.app:
        threading.Thread(target=_declare, args=(daemon, settings.app, over), name="lodger-declare", daemon=True).start()
    os.read(stopping, 1)
    over.set()
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


def _declare(daemon: Daemon, app: str, over: threading.Event) -> None:
    """Find out what the app declares. If it can't be imported the daemon goes on with what others declare."""
    path = [entry or str(Path.cwd()) for entry in sys.path]
    while not over.is_set():
        try:
            daemon.declare(declared_by(app, path))
        except Exception as error:  # noqa: BLE001 - nor may any other trouble end the trying
            text = str(error) if isinstance(error, NotDeclared) else f"{type(error).__name__}: {error}"
            logger.error("%s (tried again in %.0f s)", text, AGAIN_SECONDS)  # noqa: TRY400 - not our traceback
            over.wait(AGAIN_SECONDS)
        else:
            return

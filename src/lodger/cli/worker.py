"""``lodger worker``: a separate worker."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from typing import Any

from lodger import settings as settings_module
from lodger.model.coverage import engine_lack, presence_lack
from lodger.placement.launch import make_supervisor, open_database
from lodger.processes.reaper import FIRST_PROCESS, Reaper
from lodger.processes.signals import on_signal
from lodger.scheduler.daemon import make_daemon
from lodger.settings import Settings
from lodger.store import coverage
from lodger.store.url import parse


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("worker", help="run jobs in a service of their own")
    parser.add_argument("--app", help="the Lodger object, package.module:name (LODGER_APP)")
    parser.add_argument("--queues", help="comma-separated; default all")
    parser.add_argument("--concurrency", type=int, help="runs that one process executes at once (default 20)")
    parser.add_argument("--processes", type=int, help="engine processes (default 1)")
    parser.add_argument("--no-schedules", action="store_true", help="leave firing schedules to others")
    parser.add_argument("--check", action="store_true", help="only tell whether a worker of this host works (0 or 1)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Supervise until SIGTERM or SIGINT, then drain; 2 when the settings let no engine start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    queues = tuple(name.strip() for name in options.queues.split(",") if name.strip()) if options.queues else None
    settings = settings_module.read(
        {
            "app": options.app,
            "queues": queues,
            "concurrency": options.concurrency,
            "processes": options.processes,
        }
    )
    url = os.environ.get("DATABASE_URL", "")
    shown = parse(url)
    if options.check:
        return check(settings, url)
    supervisor = make_supervisor("separate", settings, url)
    if not options.no_schedules:
        supervisor.carry(make_daemon(settings, open_database(url, settings, pool_size=2)))
    if os.getpid() == FIRST_PROCESS:
        supervisor.carry(Reaper())
    on_signal((signal.SIGTERM, signal.SIGINT), supervisor.request_stop)
    logging.getLogger("lodger.placement").info(
        "role=%s placement=separate queues=%s database=%s pid=%d signals=SIGTERM and SIGINT drain",
        *(
            "worker" if options.no_schedules else "worker+scheduler",
            ",".join(settings.queues) or "all",
            shown.dialect,
            os.getpid(),
        ),
    )
    supervisor.run()
    if supervisor.failure is None:
        return 0
    print(f"lodger: {supervisor.failure}", file=sys.stderr)
    return 2


def check(settings: Settings, url: str) -> int:
    """Say how the separate workers of this host are; return 0 if one of them works, else 1. For health checks."""
    database = open_database(url, settings, pool_size=1)
    with database.connect() as conn:
        here = [one for one in coverage.workers(conn) if one.host == socket.gethostname() and not one.is_embedded]
    database.dispose()
    lacks = [presence_lack(worker, settings.environment) or engine_lack(worker) for worker in here]
    for worker, lack in zip(here, lacks, strict=True):
        print(f"the {worker.place} {lack.text if lack else 'works'}")
    if not here:
        print(f"no separate worker is known on {socket.gethostname()}: start one with 'lodger worker'")
    return 0 if None in lacks else 1

"""Some schedule daemons in one process, each with connections of its own: `python -m tests.scheduler.program COUNT`.

The database is DATABASE_URL. Ends when its standard input does.
"""

from __future__ import annotations

import os
import sys

from lodger import settings as settings_module
from lodger.scheduler.daemon import make_daemon
from lodger.store.database import Database


def main() -> None:
    """Run them until nobody wants them any more."""
    settings = settings_module.read()
    databases = [Database(os.environ["DATABASE_URL"], pool_size=2) for _ in range(int(sys.argv[1]))]
    daemons = [make_daemon(settings, database) for database in databases]
    for daemon in daemons:
        daemon.start()
    print("started", flush=True)
    sys.stdin.read()
    for daemon in daemons:
        daemon.request_stop()
    for daemon in daemons:
        daemon.stop()


if __name__ == "__main__":
    main()

"""The servers from a shell.

    python -m tools.servers postgresql                  run one until Ctrl-C; its URL is the first line printed
    python -m tools.servers exec mariadb -- CMD ARGS    run CMD with DATABASE_URL set to a new empty database

`exec sqlite` gives a new file, so that one command line serves all three.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tools.servers import SERVERS, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATABASE = "lodger"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = parse(arguments)
    # A polite end for SIGTERM too: `with` blocks are left, the exit status says which signal it was.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        if options.action == "exec":
            with new_database(options.engine) as url:
                return run(options.command, url)
        with SERVERS[options.action]() as server:
            print(server.url, flush=True)
            signal.pause()
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.servers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for engine in SERVERS:
        actions.add_parser(engine, help=f"run {engine} until Ctrl-C")
    execute = actions.add_parser("exec", help="run a command beside a server")
    execute.add_argument("engine", choices=["sqlite", *SERVERS])
    execute.add_argument("command", nargs="+", metavar="-- CMD ARGS")
    return parser.parse_args(arguments)


@contextmanager
def new_database(engine: str) -> Iterator[str]:
    """The URL of a new empty database."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="lodger-sqlite-") as directory:
            yield f"sqlite:///{directory}/{DATABASE}.db"
    else:
        with SERVERS[engine]() as server:
            yield server.create_database(DATABASE)


def run(command: Sequence[str], url: str) -> int:
    """Run the command to its end and return its status."""
    child = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
    # Ctrl-C reaches the child as well; it decides what that means, we wait and clean up after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())

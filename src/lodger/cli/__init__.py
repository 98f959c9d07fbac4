"""The ``lodger`` command. Thin: a worker should not carry what only people's eyes need."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lodger.errors import LodgerError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (2: the input was wrong; the text says what to do, also as JSON)."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does: the app is found where one stands
    parser = make_parser()
    options = parser.parse_args(argv)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads it has enough: head, less
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return 0
    except LodgerError as error:
        print(f"lodger: {error}", file=sys.stderr)
        if getattr(options, "json", False):
            print(json.dumps({"error": str(error)}))
        return 2
    return code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from lodger import __version__
    from lodger.cli import doctor, migrate, scheduler, schedules, stats, worker

    parser = argparse.ArgumentParser(prog="lodger", description="Background jobs on the app's own SQL database.")
    parser.add_argument("--version", action="version", version=f"lodger {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    worker.add(commands)
    scheduler.add(commands)
    schedules.add(commands)
    doctor.add(commands)
    stats.add(commands)
    migrate.add(commands)
    return parser

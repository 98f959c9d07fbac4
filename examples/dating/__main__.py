"""`python -m examples.dating`: the demo to click through, or, with --check, the demo that checks itself."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import httpx

from examples.dating import check, deploy, samples, timetable
from examples.dating.report import Report
from examples.dating.stand import DemoError, Options, Stand, standing

ENGINES = ("sqlite", "postgresql", "mariadb")
PLACEMENTS = ("child", "thread", "separate")


def main() -> int:
    arguments = _arguments()
    # Stopped by a supervisor, or its terminal closed: clean up as after Ctrl-C.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    options = Options(
        engine=arguments.engine,
        database_url=os.environ.get("DATABASE_URL") or None,
        placement=arguments.placement,
        host=arguments.host,
        port=arguments.port if arguments.port is not None else 0 if arguments.check else 8000,
        data=arguments.data,
        temporary=arguments.check,
    )
    try:
        return _check(options) if arguments.check else _show(options)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130 if arguments.check else 0


def _show(options: Options) -> int:
    with standing(options) as stand:
        files = samples.make_samples(stand.data / "samples")
        print(_what_to_try(stand, options, sorted(path.name for path in files.values())), flush=True)
        while (dead := stand.dead()) is None:
            time.sleep(0.5)
        raise DemoError(f"{dead.name} ended by itself with {dead.exit_code}.")


def _check(options: Options) -> int:
    report = Report()
    with standing(options) as stand:
        files = samples.make_samples(stand.data / "samples")
        try:
            check.walk(stand.address, files, report)
            timetable.check(stand, report)
            deploy.check(stand, files, report)
        except (httpx.HTTPError, ValueError) as error:  # no answer, or one that is not what it says
            report.add("the journey", "to its end", f"broken off: {error!r}")
    report.add("after the stop", "nothing left running", ", ".join(stand.killed) or "nothing left running")
    left = "the data folder" if stand.data.exists() else "no files left"
    report.add("after the stop", "no files left", left)
    if not report.ok:
        print(stand.output(), end="\n\n")
    print(report.table(), end="\n\n")
    print(f"{stand.database}, {options.placement}: {report.summary()}")
    return 0 if report.ok else 1


def _what_to_try(stand: Stand, options: Options, names: list[str]) -> str:
    where = "a process of its own" if options.placement == "separate" else f"the web service ({options.placement})"
    return f"""
    Spark is open:  {stand.address}
    database        {stand.database}
    the worker is   in {where}
    the data are in {stand.data}

    Try: join, then upload one of these and watch its state
         {stand.data / "samples"}{os.sep}
         {", ".join(names)}
    Ctrl-C stops everything.
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.dating",
        description="A small dating site whose profile videos are read and cut by Lodger's background jobs.",
        epilog="With DATABASE_URL set, that database is used and --engine has no say.",
    )
    parser.add_argument("--check", action="store_true", help="walk through the site over HTTP, compare, exit 0 or 1")
    parser.add_argument("--engine", choices=ENGINES, default="sqlite")
    parser.add_argument("--placement", choices=PLACEMENTS, default="child", help="where the worker lives")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="default: 8000, with --check any free one")
    parser.add_argument("--data", type=Path, help="folder for everything; default: a new one in var/demo")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

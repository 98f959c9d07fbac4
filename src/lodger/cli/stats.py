"""``lodger stats``: queues, workers, runs and schedules at a glance. Who serves a queue is in its line: or NOBODY."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from lodger import settings as settings_module
from lodger.cli.connection import opened
from lodger.cli.paint import Paint, painter
from lodger.cli.table import clean, counted, table
from lodger.doctor.look import look
from lodger.doctor.overview import Overview, QueueLine, SchedulesLine, WorkerLine, overview
from lodger.store import migrations
from lodger.store.recent import Totals

NOBODY: Final = "NOBODY"
SPANS: Final = ((86400, "d"), (3600, "h"), (60, "min"))
FEW: Final = 10


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("stats", help="queues, workers, runs and schedules at a glance")
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look once, print it."""
    settings = settings_module.read()
    with opened(settings) as database:
        migrations.check(database)
        found = overview(look(database, settings))
    print(json.dumps(asdict(found), indent=2, default=_json) if options.json else _shown(found, painter()))
    return 0


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _shown(found: Overview, paint: Paint) -> str:
    parts = [
        ("Queues", _queues(found.queues)),
        ("Workers", _workers(found.workers)),
        ("Runs", _runs(found.runs)),
        ("Schedules", _schedules(found.schedules)),
    ]
    text = "\n\n".join(f"{paint(title, 'bold')}\n{body}" for title, body in parts)
    return text.replace(NOBODY, paint(NOBODY, "red"))


def _queues(lines: tuple[QueueLine, ...]) -> str:
    if not lines:
        return "nothing waits, nothing runs, no worker names a queue"
    heads = ["queue", "waiting", "oldest", "running", "paused", "served by"]
    rows = [
        [
            line.queue,
            str(line.waiting),
            _span(line.oldest_seconds),
            str(line.running),
            "paused" if line.paused else "",
            _served(line),
        ]
        for line in lines
    ]
    return table(heads, rows)


def _served(line: QueueLine) -> str:
    lost = [f"{NOBODY} serves {', '.join(line.orphans)}"] if line.orphans else []
    return "; ".join([*filter(None, [", ".join(line.served_by)]), *lost]) or NOBODY


def _workers(lines: tuple[WorkerLine, ...]) -> str:
    if not lines:
        return "none"
    heads = ["worker", "state", "environment", "release", "queues", "jobs", "active", "last claim", "last beat", "age"]
    rows = [
        [
            line.name,
            line.state,
            line.environment,
            line.release or "-",
            ",".join(line.queues) or "all",
            str(line.jobs),
            str(line.active),
            "none told" if line.last_claim_seconds is None else f"{_span(line.last_claim_seconds)} ago",
            f"{_span(line.beat_seconds)} ago",
            _span(line.age_seconds),
        ]
        for line in lines
    ]
    return table(heads, rows)


def _runs(totals: Totals | None) -> str:
    if totals is None:
        return "not looked at"
    mean = "-" if totals.mean_seconds is None else f"{totals.mean_seconds:.3f} s"
    heads = ["completed in the last hour", "mean duration", "failed in the last 24 h"]
    text = table(heads, [[str(totals.completed), mean, str(totals.failed)]])
    if totals.since is None:
        return text
    return f"{text}\n(of the newest {totals.read} runs, enqueued since {totals.since:%Y-%m-%d %H:%M:%S} UTC)"


def _schedules(line: SchedulesLine) -> str:
    if not line.states:
        return "none"
    states = ", ".join(f"{count} {state}" for state, count in line.states.items())
    coming = "no next instant" if line.next_in_seconds is None else f"the next in {_span(line.next_in_seconds)}"
    daemons = counted(line.live_daemons, "live daemon") if line.live_daemons else f"{NOBODY} fires them"
    return clean(f"{states}; {line.due} due, {coming}; {daemons}")


def _span(seconds: float | None) -> str:
    """Return a time for people."""
    if seconds is None:
        return "-"
    for size, noun in SPANS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {noun}"
    return f"{seconds:.1f} s" if seconds < FEW else f"{seconds:.0f} s"

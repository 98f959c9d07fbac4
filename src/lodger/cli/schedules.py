"""``lodger schedules``: look at schedules and act on them. Needs the database only, not the app."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from lodger import settings as settings_module
from lodger.cli.connection import opened
from lodger.cli.table import table
from lodger.client.schedules import ScheduleDesk
from lodger.model.schedule import ScheduleRecord
from lodger.model.timetable import Cron
from lodger.wake.announcer import Announcer

DONE = {"pause": "paused", "resume": "resumed", "delete": "deleted"}


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("schedules", help="list, pause, resume, run, delete schedules")
    parser.set_defaults(run=run, action="list", json=False)
    actions = parser.add_subparsers(metavar="ACTION")
    shown = argparse.ArgumentParser(add_help=False)
    shown.add_argument("--json", action="store_true", help="for scripts: one JSON document")
    listing = actions.add_parser("list", parents=[shown], help="all schedules, their state and next instants")
    listing.set_defaults(action="list")
    for action, told in (
        ("pause", "let it fire no more until it is resumed"),
        ("resume", "let it fire again, from now on"),
        ("run", "create a run now, beside the timetable"),
        ("delete", "delete a stored schedule, or one that no code declares any more"),
    ):
        one = actions.add_parser(action, parents=[shown], help=told)
        one.add_argument("id", help="as `lodger schedules list` shows it")
        one.set_defaults(action=action)


def run(options: argparse.Namespace) -> int:
    """Do what is asked for; print it."""
    settings = settings_module.read()
    with opened(settings) as database:
        announcer = Announcer(database)
        try:
            print(_act(ScheduleDesk(database, announcer), options))
        finally:
            announcer.close()
    return 0


def _act(desk: ScheduleDesk, options: argparse.Namespace) -> str:
    if options.action == "list":
        found = desk.listing()
        return json.dumps([_plain(record) for record in found], indent=2) if options.json else _shown(found)
    if options.action == "run":
        run, inserted = desk.run(options.id)
        told = "created" if inserted.created else "not created: this one holds its unique key"
        answer = {"schedule": options.id, "run": inserted.id, "created": inserted.created}
        return json.dumps(answer) if options.json else f"run {inserted.id} of {run.job} in queue {run.queue}: {told}"
    getattr(desk, options.action)(options.id)
    if options.action == "delete":
        return json.dumps({"id": options.id}) if options.json else f"schedule {options.id}: deleted"
    record = desk.get(options.id)
    if options.json:
        return json.dumps(_plain(record), indent=2)
    return f"schedule {record.id}: {DONE[options.action]}; next {_next(record)}"


def _shown(found: list[ScheduleRecord]) -> str:
    if not found:
        return "no schedules: declare them with lodger.schedule(...), or store them with lodger.store_schedule(...)"
    heads = ["id", "state", "timetable", "next", "last", "fired", "left out", "job", "queue", "from"]
    rows = [
        [
            record.id,
            record.state,
            str(record.timetable or "?"),
            _next(record),
            _local(record, record.last_at),
            str(record.fired),
            str(record.skipped),
            record.job,
            record.queue,
            record.origin,
        ]
        for record in found
    ]
    notes = [f"{record.id}: {note}" for record in found if (note := _note(record))]
    return "\n".join([table(heads, rows), *([""] if notes else []), *notes])


def _next(record: ScheduleRecord) -> str:
    return "-" if record.state in ("paused", "undeclared") else _local(record, record.next_at)


def _local(record: ScheduleRecord, at: datetime | None) -> str:
    """Return a time in the schedule's own zone."""
    if at is None:
        return "-"
    zone = ZoneInfo(record.timetable.timezone) if isinstance(record.timetable, Cron) else UTC
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


def _note(record: ScheduleRecord) -> str:
    """Return what to do about a schedule that does not fire."""
    match record.state:
        case "undeclared":
            return (
                "no live worker's code declares it any more: start one that does, "
                f"or remove it with: lodger schedules delete {record.id}"
            )
        case "error":
            return record.error or ""
        case _:
            return ""


def _plain(record: ScheduleRecord) -> dict[str, Any]:
    timetable = record.timetable
    if isinstance(timetable, Cron):
        told: dict[str, Any] = {"cron": timetable.expression, "timezone": timetable.timezone}
    else:
        told = {"every_seconds": timetable.interval.total_seconds()} if timetable else {}
    values = {name: getattr(record, name) for name in record.__slots__} | {"timetable": told, "state": record.state}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}

"""The third part of the check: what the site does by the clock, seen on its page and asked for on the command line."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

from examples.dating.check import POLL_SECONDS
from examples.dating.report import Report
from examples.dating.stand import Stand

DECLARED = ["expire-sessions", "match-digest", "storage-report"]
OFTEN = "storage-report"
FIRES = 3
TIMEOUT_SECONDS = 60

Schedules = dict[str, dict[str, Any]]


def check(stand: Stand, report: Report) -> None:
    with httpx.Client(base_url=stand.address, timeout=30, trust_env=False) as client:
        first = _wait(client, lambda seen: sorted(seen) == DECLARED)
        report.add("schedules: declared", ", ".join(DECLARED), ", ".join(sorted(first)))
        before = first.get(OFTEN, {}).get("fired", 0)
        seen = _wait(client, lambda seen: seen[OFTEN]["fired"] >= before + FIRES)
        report.add("schedules: timetables", "every 2 s; 0 3 * * * in Berlin", _timetables(seen))
        often = seen.get(OFTEN, {})
        told = f"{often.get('fired', 0) - before} fires, {often.get('state')}"
        report.add(f"{OFTEN}: fires", f"{FIRES} or more, active", told, ok=often.get("fired", 0) >= before + FIRES)
        files = sum(folder["files"] for folder in (_result(client) or {}).values())
        report.add(f"{OFTEN}: result", "files were counted", f"{files} files", ok=files > 0)
        _check_by_hand(stand, client, report)
        page = client.get("/behind").text
        shown = [name for name in DECLARED if name in page]
        report.add(
            "behind the scenes", "a page with all of them", f"{len(shown)} of {len(DECLARED)}", ok=shown == DECLARED
        )


def _check_by_hand(stand: Stand, client: httpx.Client, report: Report) -> None:
    made = json.loads(stand.lodger("schedules", "run", "match-digest", "--json"))
    seen = _wait(client, lambda seen: seen["match-digest"]["last_status"] in ("SUCCEEDED", "FAILED"))
    digest = seen["match-digest"]
    told = f"{digest['last_status']}, {'by hand' if digest['last_by_hand'] else 'by the clock'}"
    report.add("match-digest: run now", "SUCCEEDED, by hand", told, ok=made["created"] and told == "SUCCEEDED, by hand")
    table = stand.lodger("schedules")
    report.add("lodger schedules", "lists them", "lists them" if all(name in table for name in DECLARED) else table)


def _result(client: httpx.Client) -> Any:
    """What the last report came to, once it has ended."""
    return _wait(client, lambda seen: seen[OFTEN]["last_status"] == "SUCCEEDED").get(OFTEN, {}).get("last_result")


def _timetables(seen: Schedules) -> str:
    often, digest = (seen.get(name, {}).get("timetable", "none") for name in (OFTEN, "match-digest"))
    return f"{often}; {digest}".replace("(Europe/Berlin)", "in Berlin")


def _wait(client: httpx.Client, enough: Callable[[Schedules], bool]) -> Schedules:
    """Ask until it is enough, or until the time is up."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        seen: Schedules = {told["id"]: told for told in client.get("/behind.json").json()}
        try:
            done = enough(seen)
        except KeyError:  # not declared yet
            done = False
        if done or time.monotonic() > deadline:
            return seen
        time.sleep(POLL_SECONDS)

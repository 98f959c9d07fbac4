"""`lodger stats`: who serves what, or NOBODY, and how much was done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lodger.doctor.overview import WorkerLine, overview
from lodger.model.coverage import ANY_QUEUE, EngineState
from lodger.store import queues, workers
from tests.doctor.conftest import Command
from tests.support.facts import daemon, facts, schedule
from tests.support.schedules import Schedules, spec
from tests.support.seen import seen_worker, work
from tests.support.store import Store

ME = "separate h:1"
YIELDS = (EngineState(yields=frozenset({(ANY_QUEUE, "j")})),)


def stats(lodger: Command) -> dict[str, Any]:
    code, out, err = lodger("stats", "--json")
    assert (code, err) == (0, "")
    told: dict[str, Any] = json.loads(out)
    return told


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each title."""
    parts = [part.splitlines() for part in text.strip().split("\n\n")]
    return {title: lines for title, *lines in parts}


def test_of_nothing(lodger: Command, store: Store) -> None:
    code, out, _ = lodger("stats")
    assert code == 0
    shown = sections(out)
    assert shown["Queues"] == ["nothing waits, nothing runs, no worker names a queue"]
    assert (shown["Workers"], shown["Schedules"]) == (["none"], ["none"])
    assert shown["Runs"][1].split() == ["0", "-", "0"]


def test_at_a_glance(lodger: Command, store: Store, schedules: Schedules) -> None:
    worker = store.worker(placement="separate", queues=("mail", "default"))
    engines = [{"number": 1, "pid": 7, "state": "running", "active": 2, "error": None}]
    store.database.transact(
        lambda conn: workers.beat(conn, worker, jobs=("j",), engines=engines, claimed=True, stopping=False)
    )
    store.running(worker)
    old = store.enqueue()
    store.set_time(old, -7300, "run_at")
    store.enqueue(job="unheard")
    store.enqueue(queue="media")
    store.enqueue(queue="held")
    store.database.transact(lambda conn: queues.pause(conn, "held"))
    schedules.put(spec("night", run=None))
    coming = schedules.now() + timedelta(days=3)
    schedules.set("night", next_at=coming, due_at=coming)
    code, out, _ = lodger("stats")
    assert code == 0
    shown = sections(out)
    rows = {line.split()[0]: line.split(maxsplit=5) for line in shown["Queues"][1:]}
    assert list(rows) == ["default", "media", "held", "mail"], "those without a worker first"
    assert rows["default"][1:] == ["2", "2", "h", "1", f"{ME}; NOBODY serves unheard"]
    assert rows["media"][1] == "1"
    assert rows["media"][-1].startswith("NOBODY serves ")
    assert rows["held"][-1].split() == ["paused", "NOBODY"]
    assert rows["mail"][1:3] == ["0", "-"]
    assert shown["Workers"][1].split()[:7] == ["separate", "h:1", "ready", "e", "r", "mail,default", "1"]
    assert shown["Schedules"] == ["1 active; 0 due, the next in 3 d; NOBODY fires them"]


def test_json(lodger: Command, store: Store) -> None:
    store.enqueue(queue="media")
    told = stats(lodger)
    assert told.keys() == {"now", "environment", "queues", "workers", "runs", "schedules"}
    (queue,) = told["queues"]
    age = queue.pop("oldest_seconds")
    assert 0 <= age < 60
    assert queue == {
        "queue": "media",
        "waiting": 1,
        "running": 0,
        "paused": False,
        "served_by": [],
        "orphans": ["j"],
    }
    assert told["schedules"] == {"states": {}, "due": 0, "next_in_seconds": None, "live_daemons": 0}


def test_who_reads_no_more_is_no_error(store: Store, database_url: str) -> None:
    """`lodger stats | head -1`. Fails when the pipe's end is told as a traceback."""
    ear, mouth = os.pipe()
    os.close(ear)
    command = [str(Path(sys.executable).with_name("lodger")), "stats"]
    environment = {**os.environ, "DATABASE_URL": database_url}
    done = subprocess.run(command, stdout=mouth, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(mouth)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_was_done(lodger: Command, store: Store) -> None:
    """Of the last hour, and failures of the last day."""
    for status, took, ago in (
        ("SUCCEEDED", 10, 10),
        ("SUCCEEDED", 20, 3500),
        ("SUCCEEDED", 99, 3601),
        ("FAILED", 20, 10),
        ("FAILED", 6000, 80000),
        ("FAILED", 3500, 86500),
    ):
        store.ended(status, took=took, ago=ago)
    runs = stats(lodger)["runs"]
    assert (runs["completed"], runs["failed"], runs["read"], runs["since"]) == (2, 2, 6, None)
    assert runs["mean_seconds"] == 15
    assert sections(lodger("stats")[1])["Runs"][1].split()[::2] == ["2", "s"]


# The counting, without a database


def test_who_serves_a_queue() -> None:
    found = overview(
        facts(
            waiting=(work("j", "a"), work("i", "b"), work("j", "c", paused=True)),
            workers=(seen_worker(queues=("a", "b", "d")), seen_worker(environment="blue", host="x")),
            running={"e": 3},
        )
    )
    lines = {line.queue: line for line in found.queues}
    assert list(lines) == ["b", "a", "c", "d", "e"]
    assert {name: line.served_by for name, line in lines.items()} == {"a": (ME,), "b": (), "c": (), "d": (ME,), "e": ()}
    assert {name: line.orphans for name, line in lines.items() if line.orphans} == {"b": ("i",)}
    assert (lines["e"].running, lines["e"].waiting, lines["e"].oldest_seconds) == (3, 0, None)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "ready"),
        ({"is_live": False}, "silent"),
        ({"stopping_seconds": 1.0}, "stopping"),
        ({"engine": {"state": "starting"}}, "starting"),
        ({"engine": {"state": "stalled"}}, "stalled"),
        ({"engine": {"state": "restarting"}}, "restarting"),
        ({"engine": {"deaths": 3}}, "crash-loops"),
        ({"engines": YIELDS, "placement": "child"}, "stands by"),
        ({"environment": "blue"}, "ready"),
    ],
)
def test_the_state_of_a_worker(fields: dict[str, Any], state: str) -> None:
    (line,) = overview(facts(workers=(seen_worker(**fields),))).workers
    assert isinstance(line, WorkerLine)
    assert line.state == state


def test_the_dead_are_not_shown() -> None:
    assert overview(facts(workers=(seen_worker(dead_seconds=3.0, is_live=False),))).workers == ()


def test_schedules_in_one_line() -> None:
    found = overview(
        facts(schedules=(schedule(due_in=-5), schedule(due_in=40), schedule(due_in=30)), daemons=(daemon(),))
    )
    line = found.schedules
    assert (line.states, line.due, line.next_in_seconds, line.live_daemons) == ({"active": 3}, 1, 30.0, 1)

"""The rules of `lodger doctor`: each finding with what is needed for it, and what keeps it away.

Each case that finds something fails when its rule is taken out of RULES; each that finds nothing, when a condition of
its rule goes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lodger.doctor import database, schedules, work
from lodger.doctor.facts import Finding, exit_code
from lodger.doctor.rules import NAMES, RULES, examine
from lodger.model.coverage import ANY_QUEUE, EngineState
from lodger.store.server import Server, Skew
from lodger.store.sqlite_file import SqliteFile
from tests.support.facts import daemon, facts, schedule
from tests.support.seen import EPOCH, seen_worker
from tests.support.seen import work as waits

YIELDS = (EngineState(yields=frozenset({(ANY_QUEUE, "j")})),)
SAFE = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
LIMITS = {"max_connections": "100", "superuser_reserved_connections": "3"}
OLD = {"age_seconds": 700.0}


def server(connections: int = 5, **settings: Any) -> Server:
    return Server(settings={**SAFE, **LIMITS, **settings}, connections=connections)


def mysql(connections: int = 5, **settings: Any) -> dict[str, Any]:
    usual = {"max_connections": "151", "max_allowed_packet": "16777216", "innodb_flush_log_at_trx_commit": "1"}
    return {"dialect": "mysql", "server": Server(settings={**usual, **settings}, connections=connections)}


def on_disk(kind: str | None = "ext4", mode: str = "wal") -> dict[str, Any]:
    return {"dialect": "sqlite", "file": SqliteFile(path="/srv/a.db", journal_mode=mode, file_system=kind)}


FOUND: list[tuple[Any, dict[str, Any], str, str, str]] = [
    # rule, facts, severity and name of the finding, a part of its text or advice
    (work.orphans, {"waiting": (waits(),)}, "error", "no-worker", "no live worker serves j (1) in queue q"),
    (work.orphans, {"waiting": (waits(),), "workers": (seen_worker(queues=("p",)),)}, "error", "no-worker",
     "lodger worker --queues q"),
    (work.orphans, {"waiting": (waits("i"),), "workers": (seen_worker(),)}, "error", "unknown-job",
     "no live worker knows i (1)"),
    (work.nobody, {}, "warning", "no-worker", "LODGER_APP=app:lodger lodger worker"),
    (work.nobody, {"workers": (seen_worker(environment="blue"),)}, "warning", "no-worker", "no worker lives in"),
    (work.idle, {"waiting": (waits(oldest=40),), "workers": (seen_worker(),)}, "error", "not-claiming", "kill -TERM 1"),
    (work.engines, {"workers": (seen_worker(engine={"deaths": 3, "error": "boom"}),)}, "error", "engine",
     "crash-loops (3 engines died in a row soon after their start: boom)"),
    (work.engines, {"workers": (seen_worker(engine={"state": "stalled"}),)}, "error", "engine", "executor='process'"),
    (work.engines, {"workers": (seen_worker(engines=(EngineState(), EngineState(state="stalled"))),)}, "warning",
     "engine", "has 1 of 2 engines that do not tick"),
    (work.engines, {"workers": (seen_worker(engine={"state": "starting"}),)}, "error", "engine", "no engine that is"),
    (work.releases, {"workers": (seen_worker(release="1", **OLD), seen_worker(release="2", **OLD))}, "warning",
     "releases", "workers of 2 releases"),
    (work.double_placement, {"workers": (seen_worker(), seen_worker(placement="child"))}, "warning",
     "double-placement", "EMBEDDED_JOB_WORKER=auto"),
    (work.double_placement, {"workers": (seen_worker(queues=("q",)), seen_worker(placement="thread"))}, "warning",
     "double-placement", "in the web service"),
    (work.grace, {"durations": (9.0,) * 100}, "warning", "grace", "LODGER_GRACE_SECONDS=11"),
    (work.grace, {"durations": (1.0,) * 97 + (20.0,) * 3}, "warning", "grace", "1 run in 100 takes 20.0 s"),
    (work.grace, {"durations": (9.0,) * 99}, "unknown", "grace", "not enough data: 99 of"),
    (schedules.no_daemon, {"schedules": (schedule(),)}, "error", "no-daemon", "lodger scheduler"),
    (schedules.no_daemon, {"schedules": (schedule(),), "daemons": (daemon(is_live=False),)}, "error", "no-daemon",
     "no live schedule daemon fires s"),
    (schedules.late, {"schedules": (schedule(due_in=-61),), "daemons": (daemon(),)}, "warning", "late-schedule",
     "s should have fired"),
    (schedules.undeclared, {"schedules": (schedule(undeclared_at=EPOCH - timedelta(hours=1)),)}, "warning",
     "undeclared-schedule", "lodger schedules delete s"),
    (schedules.broken, {"schedules": (schedule(error="no such zone"),)}, "warning", "broken-schedule", "no such zone"),
    (schedules.without_worker, {"schedules": (schedule(job="i"),), "workers": (seen_worker(),)}, "warning",
     "schedule-without-worker", "deploy the code of i"),
    (database.schema, {"schema": 1}, "error", "schema", "lodger migrate"),
    (database.schema, {"schema": 3}, "warning", "schema", "works during a deploy"),
    (database.schema, {"schema": 4}, "error", "schema", "pip install --upgrade lodger"),
    (database.connections, {"server": server(78)}, "warning", "connections", "78 of the server's 97 connections"),
    (database.connections, {"server": server(max_connections="20"), "workers": (seen_worker(), seen_worker())},
     "warning", "connections", "may open 24 connections, the server allows 17"),
    (database.connections, {"server": Server()}, "unknown", "connections", "does not tell max_connections"),
    (database.clock, {"skew": Skew(seconds=-3.5, uncertain_seconds=0.1)}, "warning", "clock", "3.5 s ahead of"),
    (database.clock, {"skew": Skew(seconds=3.5, uncertain_seconds=0.1)}, "warning", "clock", "3.5 s behind"),
    (database.clock, {"skew": Skew(seconds=9, uncertain_seconds=3)}, "unknown", "clock", "took 6.0 s to answer"),
    (database.durability, {"server": server(synchronous_commit="off")}, "warning", "durability",
     "ALTER SYSTEM SET synchronous_commit = on"),
    (database.durability, {"server": server(fsync="off")}, "warning", "durability", "fsync is off"),
    (database.durability, mysql(innodb_flush_log_at_trx_commit="2"), "warning", "durability",
     "SET GLOBAL innodb_flush_log_at_trx_commit = 1"),
    (database.durability, {"dialect": "mysql", "server": Server()}, "unknown", "durability", "does not tell innodb"),
    (database.packet, mysql(max_allowed_packet="1048576"), "warning", "packet", "max_allowed_packet = 16777216"),
    (database.packet, {"dialect": "mysql", "server": Server()}, "unknown", "packet", "does not tell"),
    (database.sqlite_file, on_disk(mode="delete"), "warning", "sqlite-journal", "journal mode delete"),
    (database.sqlite_file, on_disk("nfs4"), "error", "sqlite-disk", "network file system"),
    (database.sqlite_file, on_disk(None), "unknown", "sqlite-disk", "does not tell"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fields", "severity", "name", "text"), FOUND)
def test_what_is_found(rule: Any, fields: dict[str, Any], severity: str, name: str, text: str) -> None:
    (finding,) = rule(facts(**fields))
    assert (finding.severity, finding.rule) == (severity, name)
    assert text in f"{finding.what} {finding.todo}"
    assert finding.evidence, "no finding without evidence"
    assert bool(finding.todo) == (severity != "unknown"), "what to do stands with what is wrong"


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (work.orphans, {"waiting": (waits(),), "workers": (seen_worker(),)}),
        (work.orphans, {"waiting": (waits(paused=True),)}),
        (work.orphans, {"waiting": (waits(),), "paused": frozenset({"q"})}),
        (work.nobody, {"workers": (seen_worker(),)}),
        (work.nobody, {"waiting": (waits(),)}),
        (work.idle, {"waiting": (waits(oldest=40),), "workers": (seen_worker(claim_seconds=5.0),)}),
        (work.idle, {"waiting": (waits(oldest=4),), "workers": (seen_worker(),)}),
        (work.engines, {"workers": (seen_worker(),)}),
        (work.engines, {"workers": (seen_worker(engine={"state": "starting"}, age_seconds=20.0),)}),
        (work.engines, {"workers": (seen_worker(engine={"state": "stalled"}, is_live=False),)}),
        (work.releases, {"workers": (seen_worker(release="1", **OLD), seen_worker(release="1", **OLD))}),
        (work.releases, {"workers": (seen_worker(release="1", **OLD), seen_worker(release="2", age_seconds=60.0))}),
        (work.releases, {"workers": (seen_worker(release="1", **OLD), seen_worker(release="", **OLD))}),
        (work.double_placement, {"workers": (seen_worker(), seen_worker(placement="child", engines=YIELDS))}),
        (work.double_placement, {"workers": (seen_worker(age_seconds=60.0), seen_worker(placement="child"))}),
        (work.double_placement, {"workers": (seen_worker(), seen_worker(placement="child", queues=("p",)))[:1]}),
        (
            work.double_placement,
            {"workers": (seen_worker(queues=("q",)), seen_worker(placement="child", queues=("p",)))},
        ),
        (
            work.double_placement,
            {"workers": (seen_worker(jobs=frozenset({"i"})), seen_worker(placement="child"))},
        ),
        (work.grace, {"durations": (1.0,) * 99 + (20.0,)}),
        (work.grace, {"durations": (9.0,) * 100, "grace_seconds": 9.0}),
        (schedules.no_daemon, {"schedules": (schedule(),), "daemons": (daemon(environment="blue"),)}),
        (schedules.no_daemon, {"schedules": (schedule(paused_at=EPOCH), schedule(undeclared_at=EPOCH))}),
        (schedules.late, {"schedules": (schedule(due_in=-59),), "daemons": (daemon(),)}),
        (schedules.late, {"schedules": (schedule(due_in=-61),)}),
        (schedules.late, {"schedules": (schedule(due_in=-61, paused_at=EPOCH),), "daemons": (daemon(),)}),
        (schedules.undeclared, {"schedules": (schedule(),)}),
        (schedules.broken, {"schedules": (schedule(),)}),
        (schedules.without_worker, {"schedules": (schedule(),), "workers": (seen_worker(),)}),
        (schedules.without_worker, {"schedules": (schedule(),)}),
        (
            schedules.without_worker,
            {"schedules": (schedule(job="i"),), "workers": (seen_worker(),), "waiting": (waits("i"),)},
        ),
        (database.schema, {}),
        (database.connections, {"server": server(77), "workers": (seen_worker(),)}),
        (database.clock, {"skew": Skew(seconds=2.5, uncertain_seconds=0.6)}),
        (database.durability, {"server": server()}),
        (database.durability, {"server": server(synchronous_commit="remote_apply")}),
        (database.durability, mysql()),
        (database.packet, mysql()),
        (database.packet, {"server": server()}),
        (database.sqlite_file, on_disk()),
        (database.sqlite_file, {}),
    ],
)
def test_what_is_no_finding(rule: Any, fields: dict[str, Any]) -> None:
    assert list(rule(facts(**fields))) == []


def test_every_rule_and_every_name_has_a_case() -> None:
    assert {case[0] for case in FOUND} == set(RULES)
    assert {case[3] for case in FOUND} == set(NAMES)


def test_work_that_lacks_the_same_is_one_finding_of_its_queue() -> None:
    """A hundred jobs without a worker are no hundred findings. Fails without the grouping."""
    waiting = (waits("i", oldest=5, count=2), waits("j", oldest=9), waits("j", "p"))
    first, second = work.orphans(facts(waiting=waiting))
    assert first.evidence["jobs"] == ["i", "j"]
    assert (first.evidence["waiting"], first.evidence["oldest_seconds"]) == (3, 9)
    assert second.evidence["queue"] == "p"


def test_the_worst_comes_first_and_decides_the_exit_code() -> None:
    found = examine(facts(waiting=(waits(),), server=server(fsync="off")))
    assert [one.severity for one in found] == ["error", "warning", "unknown"]
    assert exit_code(found) == 2
    assert exit_code(found[1:]) == 1
    assert exit_code(found[2:]) == 0, "not enough data is no fault"
    assert exit_code([]) == 0


def test_of_old_tables_nothing_else_is_said() -> None:
    found = examine(facts(schema=1, waiting=(waits(),)))
    assert [one.rule for one in found] == ["schema"]


def test_a_deployment_in_order() -> None:
    found = examine(facts(workers=(seen_worker(),), daemons=(daemon(),), server=server(), durations=(1.0,) * 100))
    assert found == []
    assert isinstance(found, list)


def test_a_finding_is_a_value() -> None:
    assert Finding(severity="error", rule="schema", what="w") == Finding(severity="error", rule="schema", what="w")

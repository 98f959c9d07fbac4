"""Rules about the database: its tables, its limits, its durability, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lodger.doctor.facts import Facts, Finding
from lodger.model.coverage import SeenWorker

NEAR_LIMIT: Final = 0.8
SUPERVISOR_CONNECTIONS: Final = 5
"""Three of a worker's supervisor, two of its schedule daemon."""
ENGINE_CONNECTIONS: Final = 7
"""Five of an engine's pool, one that listens and one that notifies (PostgreSQL)."""
SKEW_SECONDS: Final = 2.0
PACKET_BYTES: Final = 16 * 1024 * 1024
"""The longest statement: two million characters, of which each may be escaped to eight (see lodger.store.portions)."""


def schema(facts: Facts) -> Iterator[Finding]:
    """Find tables that are older or newer than this release."""
    evidence = {"schema": facts.schema, "this_release_knows": facts.latest}
    if facts.schema < facts.latest:
        yield Finding(
            severity="error",
            rule="schema",
            what=f"Lodger's tables are at version {facts.schema}, this release needs {facts.latest}: no worker starts",
            evidence=evidence,
            todo="lodger migrate (or LODGER_MIGRATE=1 on the worker)",
        )
    elif facts.schema > facts.latest:
        refused = facts.schema > facts.latest + 1
        yield Finding(
            severity="error" if refused else "warning",
            rule="schema",
            what=f"Lodger's tables are at version {facts.schema}, newer than this release's {facts.latest}"
            + (": it refuses to work" if refused else ", which works during a deploy"),
            evidence=evidence,
            todo="pip install --upgrade lodger, in this service too",
        )


def connections(facts: Facts) -> Iterator[Finding]:
    """Find a server whose limit of connections is near, or too low for the workers there are."""
    if facts.server is None:
        return
    limit = facts.server.number("max_connections")
    if limit is None:
        yield _untold("connections", "max_connections")
        return
    free = limit - (facts.server.number("superuser_reserved_connections") or 0)
    most = sum(map(_most_connections, facts.present))
    evidence = {
        "max_connections": limit,
        "for_clients": free,
        "in_use": facts.server.connections,
        "live_workers": len(facts.present),
        "workers_may_use": most,
    }
    todo = "raise max_connections on the server, put a pooler in front of it, or run fewer workers or --processes"
    if facts.server.connections >= NEAR_LIMIT * free:
        what = f"{facts.server.connections} of the server's {free} connections are in use"
        yield Finding(severity="warning", rule="connections", what=what, evidence=evidence, todo=todo)
    elif most > free:
        what = f"the live workers may open {most} connections, the server allows {free} for everybody"
        yield Finding(severity="warning", rule="connections", what=what, evidence=evidence, todo=todo)


def _most_connections(worker: SeenWorker) -> int:
    return SUPERVISOR_CONNECTIONS + ENGINE_CONNECTIONS * max(1, len(worker.engines))


def clock(facts: Facts) -> Iterator[Finding]:
    """Find clocks that are apart."""
    if facts.skew is None:
        return
    off, uncertain = facts.skew.seconds, facts.skew.uncertain_seconds
    evidence = {"database_ahead_seconds": round(off, 3), "uncertain_seconds": round(uncertain, 3)}
    if uncertain > SKEW_SECONDS:
        what = f"not enough data: the database took {2 * uncertain:.1f} s to answer, its clock can't be compared"
        yield Finding(severity="unknown", rule="clock", what=what, evidence=evidence)
    elif abs(off) - uncertain > SKEW_SECONDS:
        yield Finding(
            severity="warning",
            rule="clock",
            what=f"this host's clock is {abs(off):.1f} s {'behind' if off > 0 else 'ahead of'} the database's: what is "
            "enqueued with run_at comes due by the database's",
            evidence=evidence,
            todo="run a time service on both hosts, such as chrony: chronyc tracking",
        )


def durability(facts: Facts) -> Iterator[Finding]:
    """Find a server that was told to forget committed runs in a crash."""
    if facts.server is None:
        return
    wanted = (
        {"synchronous_commit": ("on", "remote_apply", "remote_write", "local"), "fsync": ("on",)}
        | {"full_page_writes": ("on",)}
        if facts.dialect == "postgresql"
        else {"innodb_flush_log_at_trx_commit": ("1",)}
    )
    for name, safe in wanted.items():
        value = facts.server.settings.get(name)
        if value is None:
            yield _untold("durability", name)
        elif value.lower() not in safe:
            yield Finding(
                severity="warning",
                rule="durability",
                what=f"{name} is {value}: the server can forget acknowledged runs, and run ended ones again, after a "
                "crash or a power failure",
                evidence={name: value, "safe": list(safe)},
                todo=f"{_set(facts, name, safe[0])}, on the server",
            )


def _set(facts: Facts, name: str, value: str) -> str:
    if facts.dialect == "postgresql":
        return f"ALTER SYSTEM SET {name} = {value}; SELECT pg_reload_conf()"
    return f"SET GLOBAL {name} = {value} (and {name} = {value} under [mysqld])"


def packet(facts: Facts) -> Iterator[Finding]:
    """Find a MariaDB or MySQL that closes the connection over what an enqueue may send."""
    if facts.server is None or facts.dialect != "mysql":
        return
    found = facts.server.number("max_allowed_packet")
    if found is None:
        yield _untold("packet", "max_allowed_packet")
    elif found < PACKET_BYTES:
        yield Finding(
            severity="warning",
            rule="packet",
            what=f"max_allowed_packet is {found} bytes: a large enqueue_many or large arguments lose the connection",
            evidence={"max_allowed_packet_bytes": found, "needed_bytes": PACKET_BYTES},
            todo=_set(facts, "max_allowed_packet", str(PACKET_BYTES)),
        )


def sqlite_file(facts: Facts) -> Iterator[Finding]:
    """Find a SQLite file on which readers and writers hinder each other, or which is not safe."""
    file = facts.file
    if file is None:
        return
    if file.journal_mode.lower() != "wal":
        yield Finding(
            severity="warning",
            rule="sqlite-journal",
            what=f"{file.path} was found in journal mode {file.journal_mode}: each writer stops all readers",
            evidence={"journal_mode": file.journal_mode, "path": file.path},
            todo="take PRAGMA journal_mode out of the app's connections: Lodger turns the file to WAL, and it stays so",
        )
    if file.is_on_network:
        yield Finding(
            severity="error",
            rule="sqlite-disk",
            what=f"{file.path} lies on a network file system, where SQLite's locks and WAL can damage it",
            evidence={"file_system": file.file_system, "path": file.path},
            todo="move the file to a local disk; for services on several hosts use PostgreSQL or MariaDB",
        )
    elif file.is_on_network is None:
        what = "not enough data: this host does not tell on which file system the file lies"
        yield Finding(severity="unknown", rule="sqlite-disk", what=what, evidence={"path": file.path})


def _untold(rule: str, name: str) -> Finding:
    what = f"not enough data: the server does not tell {name}"
    return Finding(severity="unknown", rule=rule, what=what, evidence={name: "not told"})

"""All rules, in the order in which their findings are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from lodger.doctor import database, schedules, work
from lodger.doctor.facts import EXIT_CODES, Facts, Finding

Rule: TypeAlias = Callable[[Facts], Iterator[Finding]]

RULES: Final[tuple[Rule, ...]] = (
    work.orphans,
    work.nobody,
    work.idle,
    work.engines,
    schedules.no_daemon,
    schedules.late,
    schedules.undeclared,
    schedules.broken,
    schedules.without_worker,
    work.releases,
    work.double_placement,
    work.grace,
    database.schema,
    database.connections,
    database.clock,
    database.durability,
    database.packet,
    database.sqlite_file,
)
NAMES: Final = (
    "no-worker",
    "unknown-job",
    "not-claiming",
    "engine",
    "no-daemon",
    "late-schedule",
    "undeclared-schedule",
    "broken-schedule",
    "schedule-without-worker",
    "releases",
    "double-placement",
    "grace",
    "schema",
    "connections",
    "clock",
    "durability",
    "packet",
    "sqlite-journal",
    "sqlite-disk",
)
"""What findings are named; each has its paragraph in docs/doctor.md."""


def examine(facts: Facts) -> list[Finding]:
    """Return what the rules find, the worst first."""
    if facts.schema < facts.latest:  # the other rules would judge tables that this release does not know
        return list(database.schema(facts))
    found = [finding for rule in RULES for finding in rule(facts)]
    return sorted(found, key=lambda finding: -_weight(finding))


def _weight(finding: Finding) -> int:
    return EXIT_CODES[finding.severity]

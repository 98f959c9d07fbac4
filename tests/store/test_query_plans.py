"""A million finished runs slow nothing: every statement comes to its rows by an index, and reads few.

Every function of the store is called once over a real load, and each statement that it sends is explained and counted,
once while the planner still believes that the tables are empty, and once when it knows them. One test per engine,
since the load takes the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from lodger.store import claims, coverage, finish, inserts, notes, queues, recent, rescue, runs, upkeep
from tests.support.bulk import freeze_statistics, refresh_statistics
from tests.support.examined import Access, examine
from tests.support.scene import BATCH, STEP, WAITING, set_up
from tests.support.store import Store
from tools.golden import sent_to, statements

ENDED = 1_000_000
FEW = 12
AGAIN = 3
"""So often MariaDB counts what it reads once more out of a table of its own: for a subquery, and for its groups."""
MODULES = (claims, coverage, finish, inserts, notes, queues, recent, rescue, runs, upkeep)


@dataclass(frozen=True)
class May:
    """What a statement may do. Sorting is allowed where it is over the few runs of one owner."""

    use: str = "primary"
    read: int = FEW
    sort: bool = False
    whole: bool = False
    """It walks the index in order and ends when it has enough: how many that are says `read`."""


# Those not named here go by the primary key and read one run, or a few.
ALLOWED = {
    "claim_due": May("ready primary", 2 * BATCH + FEW),
    "lock_due": May("ready", 2 * BATCH),  # it passes over runs of jobs that the claimer does not know
    "take_locked": May(read=2 * BATCH),
    "ready_queues": May("ready", FEW),
    "next_ready_queue": May("ready", FEW),
    "queue_depths": May("ready", WAITING + FEW),
    "waiting_pairs": May("ready scheduled", AGAIN * (WAITING + STEP + 2 * FEW), sort=True),  # all that waits
    "waiting_head": May("ready", AGAIN * BATCH + FEW, sort=True),
    "overdue_heads": May("scheduled", AGAIN * BATCH + FEW, sort=True),
    "newest_totals": May(read=AGAIN * BATCH + FEW, whole=True),
    "edge_of_newest": May(read=BATCH + FEW, whole=True),
    "newest_durations": May(read=AGAIN * BATCH + FEW, whole=True),
    "running_by_queue": May("owner", 3 * FEW, sort=True),
    "promote_due": May("scheduled primary", 2 * BATCH + FEW),
    "lock_scheduled": May("scheduled", 2 * BATCH),
    # A planner whose sample met one of the few holders may fetch them all and sort them: the bound is on what it reads.
    "closed_windows": May("unique", 3 * FEW, sort=True),
    "let_go": May("unique primary"),  # either is one entry
    "unique_holder": May("unique"),
    "unique_holder_now": May("unique"),
    "walk": May(read=STEP + FEW),
    "owned_by_engine": May("owner", 2 * BATCH),
    "runs_of_engine": May("owner", 2 * BATCH, sort=True),
    "engines_of_worker": May("owner", 2 * BATCH, sort=True),
    "runs_of_worker": May("owner", 2 * BATCH, sort=True),
    "bury_worker_of": May("owner primary", 2 * BATCH),
    "ownerless": May("owner", 3 * BATCH, sort=True),
    "delete_dead_workers": May("owner", BATCH + 2 * FEW),  # by its worker, or all runs in hand, which are few
    "succeed_array": May(read=2 * FEW),
    "succeed_list": May(read=2 * FEW),
    "finish": May(read=4 * FEW),
}
# Without statistics PostgreSQL reads the whole table for these. They are rare, and autovacuum comes within a minute.
NEED_STATISTICS = {"queue_depths", "ownerless", "waiting_pairs", "running_by_queue"}


@pytest.mark.timeout(600)  # most of it is the load
def test_every_statement_reads_few_rows_among_a_million_ended_ones(store: Store) -> None:
    """Fails when the claim's index is dropped, which this test does in the end."""
    freeze_statistics(store)
    scene = set_up(store, ENDED)
    seen = examine(store.database, scene)
    assert missing(store, seen) == set()
    assert complaints(one for one in seen if one.statement not in NEED_STATISTICS) == []
    refresh_statistics(store)
    assert complaints(examine(store.database, scene)) == []
    drop_claim_index(store)
    told = complaints(examine(store.database, scene.claim))
    assert any("claim_due" in one or "lock_due" in one for one in told)


def complaints(seen: Iterable[Access]) -> list[str]:
    """What is wrong with how the statements come to their rows."""
    return [f"{access.statement} {what}\n{access.text}" for access in seen for what in judge(access)]


def judge(access: Access) -> Iterator[str]:
    """What one statement does that it may not."""
    may = ALLOWED.get(access.statement, May())
    if access.whole and not may.whole:
        yield "visits all entries"
    if others := access.indexes - set(may.use.split()):
        yield f"uses {', '.join(others)} and not {may.use}"
    if access.sorts and not may.sort:
        yield "sorts"
    if access.read > may.read:
        yield f"reads {access.read:g} rows, {may.read} are allowed"


def missing(store: Store, seen: Iterable[Access]) -> set[str]:
    """The statements about runs that were not explained: an operation is missing in the scene."""
    there = {access.statement for access in seen}
    found = [one for module in MODULES for one in statements(module)]
    ours = {
        made.name
        for _, made, docstring in found
        if store.dialect in sent_to(docstring)
        and "lodger_run" in made.render(store.dialect, store.database.tables, "named")[0]
    }
    return {name for name in ours - there if not name.startswith("insert_")}


def drop_claim_index(store: Store) -> None:
    """Take away what the claim searches."""
    table = " ON lodger_run" if store.dialect == "mysql" else ""
    store.change(lambda _: f"DROP INDEX lodger_run_ready{table}")

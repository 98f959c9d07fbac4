"""The checker: joins what jobs, the app's ledger and Lodger's tables say of the same runs, and finds contradictions.

    side log   what really ran              start, end, acked; written by jobs and enqueuers themselves
    ledger     what the app committed       counted in plain SQL
    attempts   what Lodger says of it       one row per claim that did not succeed at once
    runs       where it ended

An execution is named (run, fence). It is *told* if it has an attempt row, or if it is the one that ended the run: an
execution that succeeds under its first fence has no row of its own.

**The rule of attempts.** Let T be the told executions of a run, and R those of them that were refunded. Then
`attempt = |T| - |R|`, and each attempt row carries 1 + (the number of unrefunded ones before it). Refunded are LOST,
INTERRUPTED, SNOOZED and MISMATCHED executions that left the run alive, and CRASHED ones that died in company (nobody
knows who was guilty). Each start in the side log is in T; T may hold executions that were claimed and never started.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.faults.sidelog import Mark

ALWAYS_REFUNDED: Final = frozenset({"LOST", "INTERRUPTED", "SNOOZED", "MISMATCHED"})
IN_COMPANY: Final = "together with others"
DECLARED_DEAD: Final = frozenset({"LOST", "CRASHED"})


@dataclass(frozen=True, slots=True)
class Told:
    """An attempt row; times in seconds since 1970."""

    run_id: str
    fence: int
    attempt: int
    outcome: str
    ended_at: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A run's row; `owner_lives` is None when it has no owner."""

    status: str
    fence: int
    attempt: int
    job: str = "on_loop"
    owner_lives: bool | None = None


@dataclass
class History:
    """All there is to know after (or during) a test."""

    rows: dict[str, Row]
    told: list[Told] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    ledger: list[tuple[str, int]] = field(default_factory=list)
    expected: Mapping[str, str] = field(default_factory=dict)
    """Runs that are to end otherwise than SUCCEEDED."""

    def told_by_run(self) -> dict[str, list[Told]]:
        """The attempt rows of each run, by fence."""
        found: dict[str, list[Told]] = defaultdict(list)
        for one in sorted(self.told, key=lambda one: one.fence):
            found[one.run_id].append(one)
        return found

    def starts(self) -> dict[str, list[Mark]]:
        """The starts of each run, in the order of the side log."""
        found: dict[str, list[Mark]] = defaultdict(list)
        for mark in self.marks:
            if mark.word == "start":
                found[mark.run_id].append(mark)
        return found

    def ends(self) -> dict[tuple[str, int], Mark]:
        """The end of each execution that came to one."""
        return {mark.key: mark for mark in self.marks if mark.word == "end"}

    def started_twice(self) -> int:
        """How many runs were started at least twice: what a fault test is about."""
        return sum(len(starts) > 1 for starts in self.starts().values())


def acknowledged_runs_exist(history: History) -> Iterator[str]:
    """I1: an enqueue that returned is never lost."""
    for mark in history.marks:
        if mark.word == "acked" and mark.run_id not in history.rows:
            yield f"run {mark.run_id} was acknowledged and is not there"


def runs_end_as_expected(history: History) -> Iterator[str]:
    """I1: every run comes to its end, and what never ran to its end under the accepted fence is not SUCCEEDED."""
    ends, starts = history.ends(), history.starts()
    for run_id, row in history.rows.items():
        expected = history.expected.get(run_id, "SUCCEEDED")
        if row.status != expected:
            yield f"run {run_id} of {row.job} is {row.status}, not {expected}"
        if row.status == "SUCCEEDED" and run_id in starts and (run_id, row.fence) not in ends:
            yield f"run {run_id} SUCCEEDED under fence {row.fence}, under which nobody came to its end"


def one_completion(history: History) -> Iterator[str]:
    """I2: one end per run, one accepted answer per fence, and the last fence is the one that counts."""
    for key, count in Counter((one.run_id, one.fence) for one in history.told).items():
        if count > 1:
            yield f"run {key[0]}: {count} answers under fence {key[1]}"
    for run_id, told in history.told_by_run().items():
        row = history.rows.get(run_id)
        wins = [one.fence for one in told if one.outcome == "SUCCEEDED"]
        if row is None:
            yield f"run {run_id} has attempts and is not there"
        elif len(wins) > 1:
            yield f"run {run_id} succeeded under fences {wins}"
        elif wins and (row.status != "SUCCEEDED" or wins[0] != row.fence):
            yield f"run {run_id} succeeded under fence {wins[0]}, yet it is {row.status} under {row.fence}"
        elif row.status == "SUCCEEDED" and any(one.fence == row.fence for one in told if one.outcome != "SUCCEEDED"):
            yield f"run {run_id} is SUCCEEDED under fence {row.fence}, whose attempt says otherwise"


def fences_rise(history: History) -> Iterator[str]:
    """I10: each owner has a higher fence than the one before, in the attempts and in the side log."""
    for run_id, told in history.told_by_run().items():
        ended = [one.ended_at for one in told]
        if ended != sorted(ended):
            yield f"run {run_id}: attempts ended in another order than their fences {[one.fence for one in told]}"
        row = history.rows.get(run_id)
        if row is not None and told[-1].fence > row.fence:
            yield f"run {run_id} stands at fence {row.fence}, below that of its attempt {told[-1].fence}"
    for run_id, starts in history.starts().items():
        fences = [mark.fence for mark in starts]
        if any(later <= earlier for earlier, later in itertools.pairwise(fences)):
            yield f"run {run_id} was started under fences {fences}"


def attempts_add_up(history: History) -> Iterator[str]:
    """I4: the rule of attempts (see above)."""
    told_by_run, starts = history.told_by_run(), history.starts()
    for run_id, row in history.rows.items():
        spent = 0
        told = told_by_run.get(run_id, [])
        for one in told:
            if one.attempt != spent + 1:
                yield f"run {run_id}: fence {one.fence} was attempt {one.attempt}, after {spent} that count"
            spent += not refunded(one, row)
        known = {one.fence for one in told}
        if untold_end(row, known):
            spent += 1
            known.add(row.fence)
        if row.attempt != spent:
            yield f"run {run_id} counts {row.attempt} attempts; {spent} of its {len(known)} executions count"
        strangers = {mark.fence for mark in starts.get(run_id, [])} - known
        if strangers:
            yield f"run {run_id} was started under fences {sorted(strangers)}, which nobody tells of"


def refunded(one: Told, row: Row) -> bool:
    """Whether this execution gave its attempt back."""
    if one.outcome in ALWAYS_REFUNDED:
        return not (row.status == "FAILED" and one.fence >= row.fence - 1)
    return one.outcome == "CRASHED" and IN_COMPANY in one.message


def untold_end(row: Row, known: set[int]) -> bool:
    """Whether the last execution is told by the run's row alone."""
    return row.status in {"SUCCEEDED", "RUNNING"} and row.fence not in known


def no_dead_owners(history: History) -> Iterator[str]:
    """I5: nobody waits for the dead."""
    for run_id, row in history.rows.items():
        if row.status == "RUNNING" and not row.owner_lives:
            yield f"run {run_id} is RUNNING and its owner is dead"


def overlaps_only_after_death(history: History) -> Iterator[str]:
    """I6: a second execution beside a first one only once the first was declared dead; then it counts for nothing."""
    told = {(one.run_id, one.fence): one for one in history.told}
    ends = history.ends()
    for run_id, starts in history.starts().items():
        for first, second in itertools.pairwise(starts):
            end = ends.get(first.key)
            if end is None or end.at <= second.at:
                continue
            verdict = told.get(first.key)
            if verdict is None or verdict.outcome not in DECLARED_DEAD or verdict.ended_at > second.at:
                said = verdict.outcome if verdict else "nothing"
                yield f"run {run_id}: fences {first.fence} and {second.fence} overlapped, and {said} was said of the first"  # noqa: E501


def ledger_agrees(history: History) -> Iterator[str]:
    """I3: exactly one row for each ledger run that succeeded, under the fence that succeeded; none for the others."""
    written: dict[str, list[int]] = defaultdict(list)
    for run_id, fence in history.ledger:
        written[run_id].append(fence)
    for run_id, row in history.rows.items():
        if row.job.startswith("ledger"):
            expected = [row.fence] if row.status == "SUCCEEDED" else []
            if written[run_id] != expected:
                yield f"run {run_id} is {row.status} under fence {row.fence}; its ledger rows: {written[run_id]}"
    for run_id in written.keys() - history.rows.keys():
        yield f"the ledger knows run {run_id}, which is not there"


INVARIANTS: Final[tuple[Callable[[History], Iterator[str]], ...]] = (
    acknowledged_runs_exist,
    runs_end_as_expected,
    one_completion,
    fences_rise,
    attempts_add_up,
    no_dead_owners,
    overlaps_only_after_death,
    ledger_agrees,
)


def violations(history: History) -> list[str]:
    """Everything that should not be, each with the invariant it breaks."""
    return [f"{check.__name__}: {text}" for check in INVARIANTS for text in check(history)]

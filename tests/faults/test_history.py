"""The checker finds each kind of contradiction, and finds none in a sound history with everything allowed in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.history import History, Row, Told, violations
from tests.faults.sidelog import Mark

A, B, C, D = "run-a", "run-b", "run-c", "run-d"


def mark(word: str, run: str, fence: int, at: float) -> Mark:
    return Mark(word, run, fence, 100 + fence, at, "on_loop")


def sound() -> History:
    """A: at once. B: lost while it ran on, then done. C: died in company, then alone, then done. D: in the ledger."""
    return History(
        rows={
            A: Row("SUCCEEDED", 1, 1),
            B: Row("SUCCEEDED", 3, 1),
            C: Row("SUCCEEDED", 5, 2),
            D: Row("SUCCEEDED", 3, 1, job="ledger_on_loop"),
        },
        told=[
            Told(B, 1, 1, "LOST", 20.0),
            Told(B, 3, 1, "SUCCEEDED", 30.0),
            Told(C, 1, 1, "CRASHED", 20.0, "its process died (together with others; it will run alone)"),
            Told(C, 3, 1, "CRASHED", 25.0, "its process died (crash 1 of 3)"),
            Told(C, 5, 2, "SUCCEEDED", 35.0),
            Told(D, 1, 1, "INTERRUPTED", 20.0),  # claimed and given back, never started
            Told(D, 3, 1, "SUCCEEDED", 31.0),
        ],
        marks=[
            *(mark("acked", run, 0, 1.0) for run in (A, B, C, D)),
            mark("start", A, 1, 10.0),
            mark("end", A, 1, 11.0),
            mark("start", B, 1, 10.0),
            mark("start", C, 1, 10.0),
            mark("start", B, 3, 21.0),
            mark("end", B, 1, 22.0),  # it was declared dead at 20: too late
            mark("start", C, 3, 22.0),
            mark("end", B, 3, 29.0),
            mark("start", D, 3, 30.0),
            mark("end", D, 3, 30.5),
            mark("start", C, 5, 30.6),
            mark("end", C, 5, 34.0),
        ],
        ledger=[(D, 3)],
    )


def test_nothing_is_wrong_with_a_sound_history() -> None:
    assert violations(sound()) == []
    assert sound().started_twice() == 2


def without_row(history: History) -> None:
    del history.rows[A]


def never_ended(history: History) -> None:
    history.rows[A] = Row("QUEUED", 0, 0)
    history.marks = [mark for mark in history.marks if mark.run_id != A]


def succeeded_without_running(history: History) -> None:
    history.marks = [one for one in history.marks if one.key != (C, 5) or one.word != "end"]


def answered_twice(history: History) -> None:
    history.told.append(Told(B, 3, 1, "FAILED", 30.0))


def succeeded_twice(history: History) -> None:
    history.told[0] = replace(history.told[0], outcome="SUCCEEDED")


def late_answer_taken(history: History) -> None:
    history.rows[B] = replace(history.rows[B], status="FAILED")
    history.expected = {B: "FAILED"}


def success_beside_a_failure(history: History) -> None:
    history.told[1] = replace(history.told[1], outcome="FAILED")


def attempts_of_nobody(history: History) -> None:
    history.told.append(Told("run-x", 1, 1, "FAILED", 5.0))


def fence_fell(history: History) -> None:
    history.rows[B] = replace(history.rows[B], fence=2)


def fence_given_twice(history: History) -> None:
    history.marks.append(mark("start", A, 1, 12.0))


def answers_in_wrong_order(history: History) -> None:
    history.told[0] = replace(history.told[0], ended_at=31.0)


def lost_attempt_counted(history: History) -> None:
    history.rows[B] = replace(history.rows[B], attempt=2)


def crash_refunded(history: History) -> None:
    history.rows[C] = replace(history.rows[C], attempt=1)
    history.told[4] = replace(history.told[4], attempt=1)


def started_and_not_told(history: History) -> None:
    del history.told[2]


def waits_for_the_dead(history: History) -> None:
    history.rows[A] = Row("RUNNING", 1, 1, owner_lives=False)
    history.expected = {A: "RUNNING"}


def overlapped_while_alive(history: History) -> None:
    history.told[0] = replace(history.told[0], ended_at=21.5)  # declared dead after the second had started


def overlapped_by_release(history: History) -> None:
    history.told[0] = replace(history.told[0], outcome="INTERRUPTED")


def ledger_row_missing(history: History) -> None:
    history.ledger.clear()


def ledger_row_twice(history: History) -> None:
    history.ledger.append((D, 3))


def ledger_row_of_the_late_one(history: History) -> None:
    history.ledger[0] = (D, 1)


def ledger_row_of_a_failure(history: History) -> None:
    history.rows[D] = replace(history.rows[D], status="FAILED")
    history.told[-1] = replace(history.told[-1], outcome="FAILED")
    history.expected = {D: "FAILED"}


def ledger_row_of_nobody(history: History) -> None:
    history.ledger.append(("run-x", 1))


BROKEN: dict[str, list[Callable[[History], None]]] = {
    "acknowledged_runs_exist": [without_row],
    "runs_end_as_expected": [never_ended, succeeded_without_running],
    "one_completion": [
        answered_twice,
        succeeded_twice,
        late_answer_taken,
        success_beside_a_failure,
        attempts_of_nobody,
    ],
    "fences_rise": [fence_fell, fence_given_twice, answers_in_wrong_order],
    "attempts_add_up": [lost_attempt_counted, crash_refunded, started_and_not_told],
    "no_dead_owners": [waits_for_the_dead],
    "overlaps_only_after_death": [overlapped_while_alive, overlapped_by_release],
    "ledger_agrees": [
        ledger_row_missing,
        ledger_row_twice,
        ledger_row_of_the_late_one,
        ledger_row_of_a_failure,
        ledger_row_of_nobody,
    ],
}
CASES = [
    pytest.param(invariant, damage, id=f"{invariant}-{damage.__name__}")
    for invariant, damages in BROKEN.items()
    for damage in damages
]


@pytest.mark.parametrize(("invariant", "damage"), CASES)
def test_each_contradiction_is_found(invariant: str, damage: Callable[[History], None]) -> None:
    history = sound()
    damage(history)
    found = violations(history)
    assert any(text.startswith(f"{invariant}:") for text in found), found

"""The states of a run and the ways between them."""

from __future__ import annotations

from lodger.model.status import ACTIVE, LEGAL, TERMINAL, WAITING, Status

# By hand from the drawing in the module, so that an edit of either shows here.
ARROWS = """
SCHEDULED -> QUEUED CANCELLED
BLOCKED   -> QUEUED CANCELLED
QUEUED    -> RUNNING CANCELLED
RUNNING   -> SCHEDULED QUEUED SUCCEEDED FAILED CANCELLED
SUCCEEDED -> QUEUED
FAILED    -> QUEUED
CANCELLED -> QUEUED
"""


def test_the_legal_transitions_are_those_of_the_drawing() -> None:
    """The state machine test relies on this table."""
    drawn = {}
    for line in ARROWS.strip().splitlines():
        start, _, ends = line.partition("->")
        drawn[Status(start.strip())] = frozenset(map(Status, ends.split()))
    assert drawn == LEGAL


def test_every_status_is_waiting_running_or_terminal_and_only_one_of_these() -> None:
    """No status falls between the sets that guards are written with."""
    assert WAITING | TERMINAL | {Status.RUNNING} == set(Status)
    assert not WAITING & TERMINAL
    assert set(Status) - TERMINAL == ACTIVE
    assert {status for status in Status if status.is_terminal} == TERMINAL


def test_only_a_queued_run_is_claimed_and_an_ended_one_is_only_queued_again() -> None:
    """What the fence protects: there is one way into RUNNING, and one way out of an end."""
    assert [status for status in Status if Status.RUNNING in LEGAL[status]] == [Status.QUEUED]
    assert all(LEGAL[status] == {Status.QUEUED} for status in TERMINAL)


def test_a_status_is_the_word_that_is_stored() -> None:
    """The column holds these words as text."""
    assert [str(status) for status in Status] == [status.name for status in Status]

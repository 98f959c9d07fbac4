"""The states of a run.

                    ┌────────────── due ──────────────┐
    SCHEDULED ──────┘                                 ▼
        ▲  ▲                   BLOCKED ──free──▶ QUEUED ──claim──▶ RUNNING ──▶ SUCCEEDED
        │  └── retry, snooze ─────────────────────────┬──── release ◀──┤──▶ FAILED
        │                                             │     rescue     └──▶ CANCELLED
     enqueue with a delay                          enqueue

A waiting run can be cancelled at once; a terminal one can be sent back to QUEUED by an admin's retry.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The state of a run, stored as this word."""

    SCHEDULED = "SCHEDULED"
    BLOCKED = "BLOCKED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing happens to the run any more unless somebody asks for it."""
        return self in TERMINAL


TERMINAL: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
WAITING: Final = frozenset({Status.SCHEDULED, Status.BLOCKED, Status.QUEUED})
ACTIVE: Final = WAITING | {Status.RUNNING}

LEGAL: Final[dict[Status, frozenset[Status]]] = {
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.BLOCKED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SCHEDULED, Status.QUEUED}) | TERMINAL,
    Status.SUCCEEDED: frozenset({Status.QUEUED}),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}

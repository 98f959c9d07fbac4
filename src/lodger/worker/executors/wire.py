"""Claimed runs and endings as JSON, between an engine and the processes of its process executor."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from lodger.model import outcome
from lodger.model.outcome import Ending
from lodger.model.run import ClaimedRun, RunError

KINDS: Final = {
    kind.__name__: kind
    for kind in (
        outcome.Returned,
        outcome.Raised,
        outcome.TimedOut,
        outcome.Crashed,
        outcome.Snoozed,
        outcome.Stopped,
        outcome.Cancelled,
        outcome.Mismatched,
    )
}


def ending_out(ending: Ending) -> dict[str, Any]:
    """Return an ending as JSON-ready data."""
    return {"kind": type(ending).__name__, **asdict(ending)}


def ending_in(data: dict[str, Any]) -> Ending:
    """Return the ending that ``ending_out`` wrote."""
    fields = dict(data)
    kind = KINDS[fields.pop("kind")]
    if "error" in fields:
        fields["error"] = RunError(**fields["error"])
    return kind(**fields)


def claimed_out(claimed: ClaimedRun) -> list[Any]:
    """Return a claimed run as JSON-ready data."""
    return list(claimed)


def claimed_in(data: list[Any]) -> ClaimedRun:
    """Return the claimed run that ``claimed_out`` wrote."""
    return ClaimedRun(*data)

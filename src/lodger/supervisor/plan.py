"""What a supervisor is given to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lodger.model.coverage import Pair
from lodger.settings import Settings
from lodger.store.database import Database
from lodger.supervisor.engines import EngineHandle


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to supervise."""

    settings: Settings
    database: Database
    placement: str
    engines: int
    start_engine: Callable[[str, int], EngineHandle]
    """Called with the worker's id and the engine's number."""
    leaves: frozenset[Pair] = frozenset()
    """What it leaves to other workers whether or not any lives."""

    @property
    def dead_after_seconds(self) -> float:
        """Return for how long the worker may be silent; in a web server's process others may hold it up."""
        return self.settings.dead_after_seconds * (2 if self.placement == "thread" else 1)


class Companion(Protocol):
    """Something that lives as long as the worker, in threads of its own: a schedule daemon."""

    def start(self) -> None:
        """Begin; returns at once."""

    def request_stop(self) -> None:
        """Begin to end; returns at once."""

    def stop(self) -> None:
        """End; returns when it has, or after a few seconds."""

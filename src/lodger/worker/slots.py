"""The runs under way in one engine: how many more fit, and which must be stopped when."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from lodger.model.job import Registry
from lodger.worker.live import LiveRun


@dataclass(frozen=True, slots=True)
class Lane:
    """Jobs that share a limit, and how many more of them may be claimed now."""

    jobs: tuple[str, ...]
    free: int


class Slots:
    """Counts what runs. ``concurrency`` bounds all runs, ``process_slots`` those in processes of their own."""

    def __init__(self, registry: Registry, concurrency: int, process_slots: int) -> None:
        """Sort the app's jobs into those with a process of their own and the others."""
        self._concurrency = concurrency
        self._process_slots = process_slots
        self._in_process = tuple(name for name, spec in registry.jobs.items() if spec.executor == "process")
        self._in_here = tuple(name for name, spec in registry.jobs.items() if spec.executor != "process")
        self.active: dict[tuple[str, int], LiveRun] = {}
        self._processes = 0
        self._guard = threading.Lock()
        self._deadlines: list[tuple[float, tuple[str, int]]] = []

    def lanes(self) -> list[Lane]:
        """Return what may be claimed now; empty when no slot is free."""
        free = self._concurrency - len(self.active)
        if free <= 0:
            return []
        process_free = min(free, self._process_slots - self._processes)
        lanes = [Lane(self._in_here, free)] if self._in_here else []
        if self._in_process and process_free > 0:
            lanes.append(Lane(self._in_process, process_free))
        return lanes

    @property
    def processes_full(self) -> bool:
        """Whether jobs with a process of their own are held back for now."""
        return bool(self._in_process) and self._processes >= self._process_slots

    def add(self, live: LiveRun) -> None:
        """Count a run in, and remember when its time is up."""
        with self._guard:
            self.active[live.key] = live
            self._processes += live.executor == "process"
        # In a process of its own the time starts when the process has taken it; that executor counts it itself.
        if live.timeout is not None and live.executor != "process":
            heapq.heappush(self._deadlines, (time.monotonic() + live.timeout, live.key))

    def remove(self, live: LiveRun) -> bool:
        """Count a run out; False when it was not counted in (any more)."""
        with self._guard:
            if self.active.pop(live.key, None) is None:
                return False
            self._processes -= live.executor == "process"
            return True

    def patience(self) -> float | None:
        """Return the seconds until the next time-out, None when there is none."""
        return max(0.0, self._deadlines[0][0] - time.monotonic()) if self._deadlines else None

    def overdue(self) -> Iterable[LiveRun]:
        """Yield the runs whose time is up, each once."""
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, key = heapq.heappop(self._deadlines)
            live = self.active.get(key)
            if live is not None:
                yield live

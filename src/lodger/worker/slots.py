"""The runs that one engine holds: which are under way, which wait for a slot, and which must be stopped when."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from lodger.model.job import Registry
from lodger.worker.attempt.live import LiveRun

MAX_STALE: Final = 1000
"""Deadlines of ended runs that are kept until their time has come."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Jobs that share a limit, and how many more of them may be claimed now."""

    jobs: tuple[str, ...]
    free: int


class Slots:
    """``concurrency`` bounds what is under way, ``process_slots`` those of it in processes of their own.

    What was claimed ahead waits in order; whoever ends a run is told which one to begin.
    """

    def __init__(self, registry: Registry, concurrency: int, process_slots: int) -> None:
        """Sort the app's jobs into those with a process of their own and the others."""
        self._concurrency = concurrency
        self._process_slots = process_slots
        self._in_process = tuple(name for name, spec in registry.jobs.items() if spec.executor == "process")
        self._in_here = tuple(name for name, spec in registry.jobs.items() if spec.executor != "process")
        self.active: dict[tuple[str, int], LiveRun] = {}
        """Under way or waiting for a slot."""
        self._waiting: deque[LiveRun] = deque()
        self._under_way = 0
        self._processes = 0
        self._guard = threading.Lock()
        self._deadlines: list[tuple[float, tuple[str, int]]] = []

    def free(self, ahead: int = 0) -> int:
        """Return how many more runs may be held, ``ahead`` of them without a slot."""
        return self._concurrency + ahead - len(self.active)

    def lanes(self, ahead: int = 0) -> list[Lane]:
        """Return what may be claimed now; empty when there is no room."""
        free = self.free(ahead)
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

    def add(self, live: LiveRun) -> bool:
        """Count a run in; False when it has to wait for a slot."""
        with self._guard:
            self.active[live.key] = live
            self._processes += live.executor == "process"
            if self._under_way >= self._concurrency:
                self._waiting.append(live)
                return False
            self._begin(live)
            return True

    def withdraw(self, live: LiveRun) -> bool:
        """Count out a run that still waits for a slot; False when it has begun or is gone."""
        with self._guard:
            if live.begun or self.active.pop(live.key, None) is None:
                return False
            self._processes -= live.executor == "process"
            self._waiting.remove(live)
            return True

    def remove(self, live: LiveRun) -> tuple[bool, LiveRun | None]:
        """Count a run out that has begun; return whether it was counted in, and the run that gets its slot."""
        with self._guard:
            if self.active.pop(live.key, None) is None:
                return False, None
            self._processes -= live.executor == "process"
            self._under_way -= 1
            if not self._waiting:
                return True, None
            heir = self._waiting.popleft()
            self._begin(heir)
            return True, heir

    def waiting(self, longer_than_seconds: float = 0.0) -> list[LiveRun]:
        """Return the runs that wait for a slot, longer than so long."""
        if not self._waiting:
            return []
        latest = time.monotonic() - longer_than_seconds
        with self._guard:
            return [live for live in self._waiting if live.started <= latest]

    def _begin(self, live: LiveRun) -> None:
        live.begun = True
        self._under_way += 1
        # In a process of its own the time starts when the process has taken it; that executor counts it itself.
        if live.timeout is not None and live.executor != "process":
            self._set_deadline(live, live.timeout)

    def _set_deadline(self, live: LiveRun, seconds: float) -> None:
        heapq.heappush(self._deadlines, (time.monotonic() + seconds, live.key))
        if len(self._deadlines) > 2 * len(self.active) + MAX_STALE:  # those of runs that ended in time
            kept = [deadline for deadline in self._deadlines if deadline[1] in self.active]
            heapq.heapify(kept)
            self._deadlines = kept

    def remind(self, live: LiveRun, seconds: float) -> None:
        """Have ``overdue`` tell of a run after so long, should it be under way then."""
        with self._guard:
            self._set_deadline(live, seconds)

    def patience(self) -> float | None:
        """Return the seconds until the next time-out, None when there is none."""
        deadlines = self._deadlines  # another thread may put a shorter one in its place
        return max(0.0, deadlines[0][0] - time.monotonic()) if deadlines else None

    def overdue(self) -> list[LiveRun]:
        """Return the runs whose time is up, once for each deadline."""
        if self.patience() != 0:
            return []
        now = time.monotonic()
        keys = []
        with self._guard:
            while self._deadlines and self._deadlines[0][0] <= now:
                keys.append(heapq.heappop(self._deadlines)[1])
        return [live for key in keys if (live := self.active.get(key)) is not None]

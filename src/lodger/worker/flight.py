"""The flight recorder: what an engine's process was doing, readable after its death.

A few kilobytes of memory shared with the supervisor. A killed process cannot say which run it died of; what it
had written here by then still stands, so a crash is blamed on the runs whose code was running, and on no others.

    seat   0        1        2
         ┌───┬────┬───┬────┬───┬────┐      state: free, held (claimed, not begun), running (in this process),
         │ s │ id │ s │ id │ s │ id │ …           begun (in another process, or ended and not yet recorded)
         └───┴────┴───┴────┴───┴────┘
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque
from dataclasses import dataclass
from typing import Final

FREE: Final = 0
HELD: Final = ord("h")
RUNNING: Final = ord("r")
BEGUN: Final = ord("b")
ID_LENGTH: Final = 36
SEAT_LENGTH: Final = 1 + ID_LENGTH
NO_SEAT: Final = -1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dead engine's recorder says. Runs it owned and that are in neither set had not begun."""

    running: frozenset[str]
    begun: frozenset[str]


class Flight:
    """The engine's side. Seats are given and taken by the engine's thread; any thread may change a state."""

    def __init__(self, seats: int, file: int | None = None) -> None:
        """Write into ``file`` (a descriptor that is shared with the supervisor), else into plain memory."""
        size = seats * SEAT_LENGTH
        self._memory: mmap.mmap | bytearray = bytearray(size) if file is None else mmap.mmap(file, size)
        self._free = deque(range(0, size, SEAT_LENGTH))

    @property
    def free_seats(self) -> int:
        """Return how many more runs can be seated."""
        return len(self._free)

    def board(self, run_id: str) -> int:
        """Seat a claimed run; return its seat (NO_SEAT when all are taken: then nothing is recorded of it)."""
        if not self._free:
            return NO_SEAT
        seat = self._free.popleft()
        self._memory[seat + 1 : seat + SEAT_LENGTH] = run_id.encode()
        self._memory[seat] = HELD  # after the id: a seat that is taken has a whole one
        return seat

    def run(self, seat: int) -> None:
        """Say that the run's code begins in this process."""
        if seat >= 0:
            self._memory[seat] = RUNNING

    def begin(self, seat: int) -> None:
        """Say that the run has begun, and that this process can not die of it (any more)."""
        if seat >= 0:
            self._memory[seat] = BEGUN

    def leave(self, seat: int) -> None:
        """Free the seat of a run that is recorded, or lost."""
        if seat >= 0:
            self._memory[seat] = FREE
            self._free.append(seat)


class Recorder:
    """The supervisor's side of one engine's recorder."""

    def __init__(self, seats: int) -> None:
        """Make the memory; ``file`` is to be inherited by the engine."""
        self.seats = seats
        self.file = _anonymous_file()
        os.ftruncate(self.file, seats * SEAT_LENGTH)

    def read(self) -> Manifest:
        """Return what it says now."""
        data = os.pread(self.file, self.seats * SEAT_LENGTH, 0)
        by_state: dict[int, set[str]] = {RUNNING: set(), BEGUN: set()}
        for seat in range(0, len(data), SEAT_LENGTH):
            if data[seat] in by_state:
                by_state[data[seat]].add(data[seat + 1 : seat + SEAT_LENGTH].decode())
        return Manifest(frozenset(by_state[RUNNING]), frozenset(by_state[BEGUN]))

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.file)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lodger-flight")
    with tempfile.TemporaryFile() as file:  # macOS
        return os.dup(file.fileno())

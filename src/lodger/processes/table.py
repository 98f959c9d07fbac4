"""The kernel's table of processes, as /proc shows it (Linux; elsewhere nothing is seen)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
KB: Final = 1024


@dataclass(frozen=True, slots=True)
class Process:
    """A line of /proc/PID/stat, as far as it is needed."""

    pid: int
    parent: int
    group: int
    session: int
    is_zombie: bool = False
    """It has ended, and its parent has not asked how."""


def processes() -> dict[int, Process]:
    """Return all processes that can be seen."""
    found = {}
    for entry in PROC.glob("[0-9]*/stat") if PROC.is_dir() else ():
        try:
            # The command may hold blanks, brackets and any bytes; the fields are counted from behind it.
            state, *numbers = entry.read_bytes().rpartition(b")")[2].split()[:4]
            parent, group, session = map(int, numbers)
        except (OSError, ValueError):  # gone, or going
            continue
        pid = int(entry.parent.name)
        found[pid] = Process(pid, parent, group, session, state == b"Z")
    return found


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (Linux; 0 where it cannot be read)."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def exact_bytes(process: Process) -> int:
    """Return the memory of a process, what it shares with others divided among them (slower than to ask for all)."""
    try:
        lines = (PROC / str(process.pid) / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * KB
    except (OSError, StopIteration, ValueError):
        return resident_bytes(process.pid)

"""The side log: what jobs did, told by themselves, in a file that no database fault can touch.

A job writes a line when it starts and one when it has done its work. Each line is one `write` to a file opened for
appending and is on the disk before the job goes on, so the file's order is the order in which things happened, and a
line that was written survives whatever is killed next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "LODGER_TEST_SIDE_LOG"


@dataclass(frozen=True, slots=True)
class Mark:
    """One line. `word` is start, end, or acked (written by an enqueuer: its enqueue has returned)."""

    word: str
    run_id: str
    fence: int
    pid: int
    at: float
    job: str

    @property
    def key(self) -> tuple[str, int]:
        """What names this execution."""
        return self.run_id, self.fence


def write(word: str, run_id: str, fence: int = 0, job: str = "-", path: str | None = None) -> None:
    """Append one line and wait until it is on the disk."""
    line = f"{word} {run_id} {fence} {os.getpid()} {time.time():.6f} {job}\n"
    # Opened anew each time: some of the jobs close every file they find.
    file = os.open(path or os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    finally:
        os.close(file)


def parse(lines: Iterable[str]) -> list[Mark]:
    """The marks of some lines."""
    marks = []
    for line in lines:
        word, run_id, fence, pid, at, job = line.split()
        marks.append(Mark(word, run_id, int(fence), int(pid), float(at), job))
    return marks


class SideLog:
    """The file, as a test reads it: `read` for all of it, `news` for what was added since the last call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        path.touch()

    def read(self) -> list[Mark]:
        """Everything that was written."""
        return parse(self.path.read_text().splitlines())

    def acknowledge(self, run_ids: Iterable[str]) -> None:
        """Tell that these enqueues have returned. The test itself is not killed: one write, not synced."""
        at = time.time()
        with self.path.open("a") as file:
            file.writelines(f"acked {run_id} 0 {os.getpid()} {at:.6f} -\n" for run_id in run_ids)

    def starts(self, run_id: str) -> list[Mark]:
        """The starts of one run, in order."""
        return [mark for mark in self.read() if mark.word == "start" and mark.run_id == run_id]

    def news(self) -> list[Mark]:
        """What was added since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        return parse(whole.decode().splitlines())

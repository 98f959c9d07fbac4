"""What is compared: the layouts, the row that is enqueued, and the interface of an engine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

JOBS = [f"app.jobs.job_{i:02d}" for i in range(30)]
FOREIGN_JOB = "other.jobs.unknown"
QUEUE = "default"
ARGS = "[1]"
RESULT = json.dumps({"path": "/var/media/" + "x" * 60, "frames": 1234, "ok": True})

CODES = {"SCHEDULED": 1, "QUEUED": 2, "RUNNING": 3, "SUCCEEDED": 4}


@dataclass(frozen=True)
class Layout:
    """One way to lay out the tables; every other detail is the same."""

    key: str
    what: str
    text_status: bool = True
    checks: bool = False
    by_status: bool = False
    split: bool = False
    claim_tail: str = ""  # further columns at the end of the claim index

    def status(self, word: str) -> str:
        """The status as an SQL literal."""
        return f"'{word}'" if self.text_status else str(CODES[word])


A = Layout("A", "one hot table, nullable state columns, status as text")
A2 = Layout("A2", "A with status as smallint", text_status=False)
A3 = Layout("A3", "A with CHECK constraints tying status to the state columns", checks=True)
A4 = Layout("A4", "A with the claim index on status instead of ready_queue", by_status=True)
B = Layout("B", "split: ready, claimed and run tables", split=True)
A5 = Layout("A5", "A with the job name at the end of the claim index", claim_tail=", job")
LAYOUTS = [A, A2, A3, A4, B]


@dataclass(frozen=True)
class Table:
    """A table (or a set of three) with rows in it."""

    name: str
    layout: Layout = A


@dataclass(frozen=True)
class Claimed:
    """What a worker keeps of a run it has claimed."""

    id: Any
    fence: int


@dataclass(frozen=True)
class Load:
    """How many rows a table starts with."""

    finished: int = 0
    waiting: int = 0
    foreign: int = 0  # jobs this worker does not know, at the head of the queue


Action = Callable[[], None]


class Engine(Protocol):
    """What each engine module offers; `shape` names one of its own statement shapes."""

    name: str
    finish_shapes: Sequence[str]
    enqueue_shapes: Sequence[str]
    together_shapes: Sequence[str]

    def version(self) -> str: ...
    def create(self, table: Table, load: Load) -> None: ...
    def tidy(self, tables: Sequence[Table]) -> None: ...
    def claim(self, table: Table, n: int, names: Sequence[str] | None = None) -> list[Claimed]: ...
    def finish(self, table: Table, runs: Sequence[Claimed], shape: str = "grouped") -> None: ...
    def together(self, table: Table, runs: Sequence[Claimed], n: int, shape: str) -> list[Claimed]: ...
    def enqueue(self, table: Table, n: int, shape: str) -> Action:
        """Prepare n new rows in Python; calling the answer writes and commits them."""
        ...

    def enqueue_one(self, table: Table) -> Action: ...
    def explain(self, table: Table, n: int) -> dict[str, str]: ...
    def close(self) -> None: ...


def uuid7() -> bytes:
    """16 bytes that grow with time: 48 bits of ms, 12 bits below it, 62 random bits."""
    ns = time.time_ns()
    ms, rest = divmod(ns, 1_000_000)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    value = ms << 80 | 7 << 76 | (rest << 12) // 1_000_000 << 64 | 2 << 62 | random
    return value.to_bytes(16, "big")


def names_of(n: int) -> list[str]:
    """One of the thirty job names for each of n rows."""
    return [JOBS[i % len(JOBS)] for i in range(n)]


def by_fence(runs: Sequence[Claimed]) -> dict[int, list[Any]]:
    """Ids grouped by fence: nearly always one group."""
    groups: dict[int, list[Any]] = {}
    for run in runs:
        groups.setdefault(run.fence, []).append(run.id)
    return groups


def thirds(runs: Sequence[Claimed]) -> list[tuple[int, list[Any]]]:
    """Three groups, as if the batch had three different fences."""
    parts = (runs[0::3], runs[1::3], runs[2::3])
    return [pair for part in parts for pair in by_fence(part).items()]


def expect(found: int, wanted: int, what: str) -> None:
    """A benchmark that silently does nothing is worse than none."""
    if found != wanted:
        raise RuntimeError(f"{what}: {found} rows, expected {wanted}")

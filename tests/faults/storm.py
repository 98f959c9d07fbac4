"""A storm: workers under load, parts of them killed at random, everything killed started again.

The kills are spread over the progress of the work, not over time, so that each of them hits workers that are busy,
however fast the machine is.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lodger.client.job import Call
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Worker, send
from tests.support.wait import wait_until

WORKERS: Final = 4
BATCH: Final = 100
AHEAD: Final = 600
"""So many runs are enqueued and have not ended, at most: most of the enqueues happen within the storm, too."""
MIX: Final[dict[Any, int]] = {
    app.on_loop: 38,
    app.in_thread: 38,
    app.in_process: 5,
    app.ledger_on_loop: 8,
    app.ledger_in_thread: 8,
    app.ledger_in_process: 3,
}
PARTS: Final = ("worker", "engine", "worker", "child", "engine", "worker", "supervisor", "worker")
LAST_KILL: Final = 0.9
"""The share of the work that has ended when the last kill is due."""
STUCK_SECONDS: Final = 60
"""Nothing has come to its end for so long: the test has failed."""


@dataclass(frozen=True)
class Size:
    """How bad it gets, and what must have come of it for the test to have proved anything."""

    runs: int
    kills: int
    started_twice: int
    concurrency: int


class Storm:
    """Feeds, watches, kills, restarts."""

    def __init__(self, desk: Desk, size: Size, seed: int) -> None:
        self.desk = desk
        self.size = size
        self.kills: Counter[str] = Counter()
        self.enqueued = 0
        self._ended: set[str] = set()
        self._random = random.Random(seed)
        self._workers = [self._start() for _ in range(WORKERS)]
        self._seen: set[int] = set()
        """Processes that have run something."""
        self._due = [self._kill_point(number) for number in range(size.kills)]
        self._blows: dict[str, Callable[[], bool]] = {
            "worker": self._kill_worker,
            "engine": self._kill_engine,
            "child": self._kill_child,
            "supervisor": self._kill_supervisor,
        }

    def rage(self) -> None:
        """Until all runs have been enqueued, all kills were made and all runs have ended."""
        while len(self._ended) < self.size.runs or self._due:
            before = len(self._ended)
            wait_until(lambda before=before: self._turn() > before, STUCK_SECONDS, f"run {before + 1} to end")  # type: ignore[misc]
        self.desk.wait_all(STUCK_SECONDS)

    def _turn(self) -> int:
        """Read the news, enqueue and kill what is due; return how many runs have ended by now."""
        for mark in self.desk.fleet.side.news():
            self._seen.add(mark.pid)
            if mark.word == "end":
                self._ended.add(mark.run_id)
        if self._wants_more():
            self.enqueued += len(self.desk.enqueue(*self._calls()))
        if self._due and len(self._ended) >= self._due[0]:
            part = PARTS[self.kills.total() % len(PARTS)]
            if self._blows[part]():  # else nobody is busy right now: next turn
                del self._due[0]
                self.kills[part] += 1
        return len(self._ended)

    def _wants_more(self) -> bool:
        """Also when all has ended before the last kill could be struck: nobody is busy then, for ever."""
        if self.enqueued < self.size.runs:
            return self.enqueued - len(self._ended) < AHEAD
        return bool(self._due) and len(self._ended) >= self.enqueued

    def _start(self) -> Worker:
        return self.desk.fleet.start(concurrency=self.size.concurrency)

    def _kill_point(self, number: int) -> int:
        """The number of ended runs at which this kill is due: a random one in its share of the work."""
        return int((number + self._random.random()) * LAST_KILL * self.size.runs / self.size.kills)

    def _calls(self) -> list[Call]:
        left = self.size.runs - self.enqueued
        count = min(BATCH, left) if left > 0 else BATCH
        jobs = self._random.choices(list(MIX), list(MIX.values()), k=count)
        return [job.call(self._random.randint(5, 200)) for job in jobs]

    # Kills

    def _kill_worker(self) -> bool:
        return self._strike(Worker.kill, replace=True)

    def _kill_supervisor(self) -> bool:
        """Its engine hears of it, and ends what it has; a new worker takes its place."""
        return self._strike(Worker.kill_supervisor, replace=True)

    def _kill_engine(self) -> bool:
        """Its supervisor starts another."""
        return self._strike(_kill_engine)

    def _kill_child(self) -> bool:
        """Its engine starts another."""
        for worker in self._shuffled():
            if children := [pid for pid in worker.children() if pid in self._seen]:
                send(self._random.choice(children), signal.SIGKILL)
                return True
        return False

    def _strike(self, blow: Callable[[Worker], object], *, replace: bool = False) -> bool:
        for worker in self._shuffled():
            if self._seen.intersection(worker.engines()):
                blow(worker)
                if replace:
                    self._workers[self._workers.index(worker)] = self._start()
                return True
        return False

    def _shuffled(self) -> list[Worker]:
        return self._random.sample(self._workers, len(self._workers))


def _kill_engine(worker: Worker) -> None:
    for pid in worker.engines():
        send(pid, signal.SIGKILL)

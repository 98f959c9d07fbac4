"""What running jobs want written, collected from their threads for the engine's next transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from lodger.errors import LeaseLost
from lodger.failpoints import failpoint
from lodger.store import notes
from lodger.store.database import Conn, Database
from lodger.worker.attempt.completion import Completion
from lodger.worker.attempt.live import LiveRun

FLUSH_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 1.0
"""What concerns a run that somebody has locked is tried again so much later."""


@dataclass(slots=True)
class Save:
    """A checkpoint and the job that waits for its commit."""

    live: LiveRun
    text: str
    future: Future[None]
    kept: bool = True


@dataclass(slots=True)
class Batch:
    """What goes into one transaction."""

    progress: list[tuple[LiveRun, str]] = field(default_factory=list)
    saves: list[Save] = field(default_factory=list)
    lines: list[tuple[str, int, int, str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.progress or self.saves or self.lines)

    @property
    def run_ids(self) -> set[str]:
        """Return the runs whose rows it writes to; log lines are rows of their own."""
        return {live.claimed.id for live, _ in self.progress} | {save.live.claimed.id for save in self.saves}

    def split_off(self, run_ids: AbstractSet[str]) -> Batch:
        """Take out and return what is to be written to the rows of these runs."""
        apart = Batch(
            progress=[one for one in self.progress if one[0].claimed.id in run_ids],
            saves=[save for save in self.saves if save.live.claimed.id in run_ids],
        )
        self.progress = [one for one in self.progress if one[0].claimed.id not in run_ids]
        self.saves = [save for save in self.saves if save.live.claimed.id not in run_ids]
        return apart


class EngineDesk:
    """Takes progress, checkpoints and log lines from any thread; ``wake`` calls the engine for what is urgent."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        """Begin with nothing to write."""
        self._database = database
        self._wake = wake
        self._guard = threading.Lock()
        self._batch = Batch()
        self._progress: dict[tuple[str, int], tuple[LiveRun, str]] = {}
        self._last_flush = 0.0
        self._aside: list[Batch] = []
        self._again_at = 0.0

    def progress(self, live: LiveRun, text: str) -> None:
        """Keep the last progress of the run."""
        with self._guard:
            self._progress[live.key] = (live, text)

    def save(self, live: LiveRun, text: str) -> Future[None]:
        """Write a checkpoint with the next transaction."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a job whose wait is cancelled must not cancel what we will confirm
        with self._guard:
            self._batch.saves.append(Save(live, text, future))
        self._wake()
        return future

    def log(self, live: LiveRun, level: str, text: str) -> None:
        """Append a line to the run's log."""
        with self._guard:
            live.logged += 1
            self._batch.lines.append((*live.key, live.logged, level, text))

    def complete(self, live: LiveRun, tx: object) -> Completion:
        """Open the app's transaction."""
        return Completion(live, tx, self._database)

    def patience(self) -> float | None:
        """Return the seconds until something must be written, None when there is nothing."""
        if self._batch.saves:
            return 0.0
        waits = []
        if self._progress or self._batch.lines:
            waits.append(max(0.0, self._last_flush + FLUSH_SECONDS - time.monotonic()))
        if self._aside:
            waits.append(max(0.0, self._again_at - time.monotonic()))
        return min(waits, default=None)

    def take(self, *, everything: bool) -> Batch:
        """Return what is due (``everything``: also what could wait) and begin anew."""
        with self._guard:
            self._take_up_again()
            wait = self.patience()
            if wait is None or (wait > 0 and not everything):
                return Batch()
            batch, self._batch = self._batch, Batch()
            batch.progress = list(self._progress.values())
            self._progress = {}
            self._last_flush = time.monotonic()
            return batch

    def put_back(self, batch: Batch) -> None:
        """Take back what could not be written, behind what is newer."""
        with self._guard:
            self._put_back(batch)

    def set_aside(self, batch: Batch) -> None:
        """Take back what could not be written because somebody has locked its runs; the rest is not to wait for it."""
        if not batch:
            return
        with self._guard:
            if not self._aside:  # else what came first would wait for ever
                self._again_at = time.monotonic() + AGAIN_SECONDS
            self._aside.append(batch)

    def _take_up_again(self) -> None:
        if self._aside and time.monotonic() >= self._again_at:
            for batch in reversed(self._aside):
                self._put_back(batch)
            self._aside = []

    def _put_back(self, batch: Batch) -> None:
        self._batch.saves[:0] = batch.saves
        self._batch.lines[:0] = batch.lines
        for live, text in batch.progress:
            self._progress.setdefault(live.key, (live, text))


def write(conn: Conn, batch: Batch) -> None:
    """Write a batch inside the engine's transaction; remember which leases were lost."""
    for save in batch.saves:
        save.kept = notes.save_checkpoint(conn, *save.live.key, save.text)
    for live, text in batch.progress:
        notes.save_progress(conn, *live.key, text)
    if batch.lines:
        notes.append_log(conn, batch.lines)
    if batch.saves:
        failpoint("save.before_commit")


def confirm(batch: Batch) -> None:
    """Tell the waiting jobs, after the commit, what became of their checkpoints."""
    for save in batch.saves:
        if save.kept:
            save.future.set_result(None)
        else:
            save.live.lost = True
            save.future.set_exception(LeaseLost(*save.live.key))

"""Where to look for work next: queues that were heard of, and a poll that finds the rest.

Polling is always right; a wake-up only makes it faster. After work the poll is quick for a moment (a
notification may have been saved up for 100 ms by its sender), then falls back to the idle interval.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from lodger.model.coverage import Pair, is_yielded
from lodger.model.run import ClaimedRun
from lodger.store import claims
from lodger.store.database import Conn
from lodger.worker.slots import Lane

QUICK_POLLS: Final = (0.02, 0.05, 0.1, 0.15)
MAX_BATCH: Final = 500


class Claimer:
    """Claims for one engine."""

    def __init__(self, *, worker: str, engine: int, queues: Sequence[str], poll_seconds: float) -> None:
        """``queues`` empty: all, also those not seen yet."""
        self._worker = worker
        self._engine = engine
        self._only = frozenset(queues)
        self._poll_seconds = poll_seconds
        self._hot: dict[str, None] = {}
        self._next_poll = 0.0
        self._quick = 0
        self.last_claim = 0.0
        self.yields: frozenset[Pair] = frozenset()
        """What is left to other workers; set from any thread."""

    def heard(self, queues: Iterable[str]) -> None:
        """Somebody says that these queues have work; their transaction may be about to commit: look quickly."""
        self._mark(queues)
        self._quick = 0
        self._next_poll = min(self._next_poll, time.monotonic() + QUICK_POLLS[0])

    def _mark(self, queues: Iterable[str]) -> None:
        for name in queues:
            if not self._only or name in self._only:
                self._hot[name] = None

    def look_again(self) -> None:
        """Poll at the next chance."""
        self._next_poll = 0.0

    def forget(self) -> None:
        """Leave the queues that were heard of: nothing of them fits now."""
        self._hot.clear()

    def patience(self) -> float:
        """Return the seconds until there is a reason to look."""
        return 0.0 if self._hot else max(0.0, self._next_poll - time.monotonic())

    def poll(self, conn: Conn) -> None:
        """Find queues with due runs, when it is time to."""
        if self._hot or time.monotonic() < self._next_poll:
            return
        self._mark(claims.queues_with_work(conn))
        quick = QUICK_POLLS[self._quick : self._quick + 1]
        self._quick += 1
        self._next_poll = time.monotonic() + min((*quick, self._poll_seconds))

    @property
    def has_targets(self) -> bool:
        """Whether there is a queue to claim from."""
        return bool(self._hot)

    def claim(self, conn: Conn, lanes: Sequence[Lane]) -> list[ClaimedRun]:
        """Claim what fits into ``lanes``, the queues sharing it, the one served longest ago first."""
        claimed: list[ClaimedRun] = []
        free = {lane.jobs: lane.free for lane in lanes}
        total = max(free.values(), default=0)
        names = list(self._hot)
        for place, name in enumerate(names):
            if total <= 0:
                break
            share = -(-total // (len(names) - place))
            got = self._claim_queue(conn, name, free, min(share, MAX_BATCH))
            del self._hot[name]
            if len(got) >= min(share, MAX_BATCH):
                self._hot[name] = None  # there may be more: at the end of the line
            total -= len(got)
            claimed += got
        if claimed:
            self._quick = 0
            self._next_poll = 0.0
            self.last_claim = time.monotonic()
        return claimed

    def _claim_queue(self, conn: Conn, queue: str, free: dict[tuple[str, ...], int], share: int) -> list[ClaimedRun]:
        got: list[ClaimedRun] = []
        for jobs, room in free.items():
            limit = min(room, share - len(got))
            ours = self._ours(queue, jobs)
            if limit > 0 and ours:
                more = claims.claim(conn, worker=self._worker, engine=self._engine, queue=queue, jobs=ours, limit=limit)
                free[jobs] = room - len(more)
                got += more
        return got

    def _ours(self, queue: str, jobs: tuple[str, ...]) -> tuple[str, ...]:
        yields = self.yields
        return tuple(job for job in jobs if not is_yielded((queue, job), yields)) if yields else jobs

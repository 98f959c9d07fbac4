"""The live-worker check at the enqueue: work that nobody serves is warned of, once, in the enqueuer's log.

The enqueue itself pays for one look-up in a dict; the database is looked at by a thread of its own, which starts with
the first enqueue and sleeps while nothing is unclear. What is judged, and when, is in `lodger.model.orphans`.

Cost, measured with `benchmarks/orphans.py`: see docs/decisions/0013-orphans-at-the-enqueue.md.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from lodger.model.coverage import Pair
from lodger.model.orphans import Sight, Tidings, Watchlist, orphan_texts, overdue_text, served_text
from lodger.model.remedies import Here
from lodger.processes.forking import forget_after_fork

if TYPE_CHECKING:
    from lodger.model.run import NewRun
    from lodger.settings import Settings
    from lodger.store.database import Database

logger: Final = logging.getLogger("lodger.orphans")

CLOSE_SECONDS: Final = 1.0


class OrphanWatch:
    """One per process and Lodger object; any thread may use it. Opens nothing until something is enqueued."""

    _changed: threading.Condition
    _watchlist: Watchlist
    _thread: threading.Thread | None
    _closed: bool
    _failed: bool

    def __init__(self, database: Database, settings: Settings) -> None:
        """Watch over what is enqueued into ``database``; borrow a connection of its pool for each look."""
        self._database = database
        self._here = Here(environment=settings.environment, app=settings.app)
        self._grace = settings.orphan_seconds
        self.forget()
        forget_after_fork(self)

    def note(self, runs: Sequence[NewRun]) -> None:
        """See to it that somebody lives who serves these runs. Never waits for the database, never raises."""
        now = time.monotonic()
        quiet_until = self._watchlist.quiet_until
        job = queue = None
        for run in runs:
            # Many runs of one job hold the very same texts: cheaper to see than to look up.
            if run.job is job and run.queue is queue:
                continue
            job, queue = run.job, run.queue
            if quiet_until.get((queue, job), 0.0) <= now:
                self._offer((queue, job))

    def mind_schedules(self) -> None:
        """Watch, from now on and without any enqueue, whether schedules fall due that nobody fires."""
        self._change(lambda watchlist, now: watchlist.mind_schedules(now))

    def close(self) -> None:
        """Watch no more. Safe twice."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)

    def forget(self) -> None:
        """Begin anew; in a forked child the thread is not, and the lock may be held by one that is not."""
        self._changed = threading.Condition(threading.Lock())
        self._watchlist = Watchlist(self._here.environment, self._grace)
        self._thread = None
        self._closed = False
        self._failed = False

    def _offer(self, pair: Pair) -> None:
        self._change(lambda watchlist, now: watchlist.offer(pair, now))

    def _change(self, change: Callable[[Watchlist, float], None]) -> None:
        try:
            with self._changed:
                change(self._watchlist, time.monotonic())
                self._stir()
        except Exception:  # such as no more threads; the run is committed, and its enqueue must not fail
            logger.exception("whether a worker serves what is enqueued is not watched")

    def _stir(self) -> None:
        if self._thread is None and not self._closed:
            thread = threading.Thread(target=self._run, name="lodger-orphans", daemon=True)
            thread.start()
            self._thread = thread
        self._changed.notify()

    def _run(self) -> None:
        while self._wait_for_turn():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - whatever it was, enqueues go on and so do we
                self._note_trouble(error)

    def _wait_for_turn(self) -> bool:
        """Wait until it is time to look; False: the end."""
        with self._changed:
            while not self._closed:
                at = self._watchlist.look_at
                left = None if at is None else at - time.monotonic()
                if left is not None and left <= 0:
                    return True
                self._changed.wait(left)
        return False

    def _turn(self) -> None:
        sight = self._see()
        with self._changed:
            tidings = self._watchlist.judge(sight, time.monotonic())
        self._failed = False
        self._tell(tidings)

    def _see(self) -> Sight:
        from lodger.store import coverage, queues, schedulers

        with self._database.connect() as conn:
            return Sight(
                look=coverage.look(conn),
                paused=frozenset(queues.paused(conn)),
                overdue=schedulers.overdue(conn),
            )

    def _tell(self, tidings: Tidings) -> None:
        from lodger.store.coverage import SAMPLE

        for text in orphan_texts(tidings.orphans, self._here, SAMPLE):
            logger.warning("%s", text)
        if tidings.served:  # as loud as what it takes back
            logger.warning("%s", served_text(tidings.served))
        if tidings.overdue:
            logger.warning("%s", overdue_text(tidings.overdue, self._here))
        if tidings.fired_again:
            logger.warning("a live schedule daemon fires schedules again")

    def _note_trouble(self, error: Exception) -> None:
        with self._changed:
            self._watchlist.postpone(time.monotonic())
        if not self._failed:
            logger.warning("whether workers live can't be seen for now (trying on): %s", type(error).__name__)
        self._failed = True

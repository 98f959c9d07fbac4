"""The daemon's loop: beat, declare, sweep, fire what is due, sleep until the next instant.

    register ─▶ [ beat · declare and sweep · fire ] … ─▶ leave
       ▲               │
       └─ found dead: a new row

The database's clock says what is due and how long it is to the next instant. The daemon looks at least every
``schedule_seconds``, as a schedule may have been added by somebody else. Trouble is logged once and waited out.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
from collections.abc import Sequence
from typing import Final

from lodger.model.ids import new_id
from lodger.model.schedule import ScheduleSpec
from lodger.processes.clock import clock
from lodger.scheduler.declarer import Declarer
from lodger.scheduler.firing import Firing
from lodger.settings import Settings
from lodger.store import declarations, fires, migrations, schedulers
from lodger.store.database import Database
from lodger.trouble import Trouble, backoff
from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.scheduler")

STOP_SECONDS: Final = 5.0
MAX_BACKOFF_SECONDS: Final = 5.0
SHORTEST_PAUSE_SECONDS: Final = 0.005
KEEP_DEAD_SECONDS: Final = 86400.0


class Daemon:
    """A schedule daemon in a thread of this process (``start``), or in this one (``run``)."""

    def __init__(
        self, settings: Settings, database: Database, placement: str, specs: Sequence[ScheduleSpec] = ()
    ) -> None:
        """Prepare; nothing is touched before ``start`` or ``run``."""
        self.id = ""
        """Of its row; another one after it was found dead."""
        self._settings = settings
        self._database = database
        self._placement = placement
        self._dead_after = settings.dead_after_seconds * (2 if placement == "thread" else 1)
        self._specs = tuple(specs)
        self._declare = Declarer(database, lambda: self._specs, lambda: self.id)
        self._announcer = Announcer(database)
        self._firing = Firing(database, self._announcer, settings.misfire_seconds)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._next_beat = self._next_sweep = self._next_prune = 0.0
        self._failures = 0
        self._trouble = Trouble(logger, "schedules")
        self._untroubled_since = self._last_turn = clock()

    def start(self) -> None:
        """Work in a thread."""
        self._thread = threading.Thread(target=self.run, name="lodger-scheduler", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Fire nothing more; returns at once. Any thread, and twice; no signal handler: it takes a lock."""
        self._stop.set()

    def stop(self) -> None:
        """Stop and return when the daemon has left, or after a few seconds. Safe twice and before ``start``."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def declare(self, specs: Sequence[ScheduleSpec]) -> None:
        """Declare these schedules from now on, in the name of this daemon. Any thread may call it."""
        self._specs = tuple(specs)
        self._next_sweep = 0.0

    def run(self) -> None:
        """Work until stopped."""
        while not self._stop.is_set():
            self._stop.wait(self._guarded_turn())
        if self.id:
            self._leave()
        self._announcer.close()
        self._database.dispose()

    def _guarded_turn(self) -> float:
        """Take a turn; return the seconds to wait for the next one. Nothing ends the loop."""
        try:
            pause = self._turn()
        except Exception as error:  # noqa: BLE001 - see above
            return self._note_trouble(error)
        if self._failures:
            logger.warning("schedules: working again after %d failed tries", self._failures)
        self._failures = 0
        self._trouble.end()
        return pause

    def _note_trouble(self, error: Exception) -> float:
        self._untroubled_since = clock()
        self._failures += 1
        self._trouble.note(error)
        return backoff(self._failures, 0.1, MAX_BACKOFF_SECONDS) * random.uniform(0.5, 1)

    def _turn(self) -> float:
        self._notice_sleep()
        if not self.id:
            self._begin()
        if clock() >= self._next_beat:
            self._beat()
        if clock() >= self._next_sweep:
            self._sweep()
        return self._patience(self._firing.fire_due(self.id, self._has_else_to_do))

    def _has_else_to_do(self) -> bool:
        """Whether to stop firing for now, however much is due: ten thousand at once take longer than a beat."""
        return self._stop.is_set() or clock() >= self._next_beat

    def _notice_sleep(self) -> None:
        """A long gap between turns (suspended, stopped): everybody's beats may look old for the same reason."""
        now = clock()
        if now - self._last_turn > self._dead_after / 2:
            self._untroubled_since = now
        self._last_turn = now

    def _patience(self, away: float | None) -> float:
        """Return the seconds to the next turn; ``away``: to the next instant."""
        now = clock()
        waits = [self._settings.schedule_seconds, self._next_beat - now, self._next_sweep - now]
        return max(SHORTEST_PAUSE_SECONDS, min(waits if away is None else [*waits, away]))

    # its row

    def _begin(self) -> None:
        """Check the tables and put up the row."""
        if self._settings.migrate or self._database.dialect == "sqlite":
            migrations.migrate(self._database)
        migrations.check(self._database)
        self._register()

    def _register(self) -> None:
        new = schedulers.NewScheduler(
            id=new_id(),
            environment=self._settings.environment,
            release=self._settings.release,
            placement=self._placement,
            host=socket.gethostname(),
            pid=os.getpid(),
            dead_after_seconds=self._dead_after,
        )
        self._database.transact(lambda conn: schedulers.register(conn, new))
        self.id = new.id
        self._next_beat = clock() + self._settings.beat_seconds
        self._next_sweep = 0.0

    def _beat(self) -> None:
        self._next_beat = clock() + self._settings.beat_seconds
        fired, self._firing.has_fired = self._firing.has_fired, False
        with self._database.connect() as conn:
            alive = schedulers.beat(conn, self.id, fired=fired)
        if not alive:
            logger.warning("schedule daemon %s was found dead; it goes on under another id", self.id)
            self._register()

    def _leave(self) -> None:
        try:
            with self._database.connect() as conn:
                schedulers.leave(conn, self.id)
        except Exception as error:  # noqa: BLE001 - it will be found silent instead
            logger.info("schedules: left without a word: %s", error)

    # the sweep

    def _sweep(self) -> None:
        """Declare again, look after the others' rows, flag what nobody declares any more."""
        self._next_sweep = clock() + self._settings.sweep_seconds * random.uniform(0.8, 1.2)
        if self._specs:
            self._declare()
        self._database.transact(schedulers.bury_silent)
        if clock() - self._untroubled_since >= self._dead_after:
            flagged = self._database.transact(lambda conn: declarations.flag_undeclared(conn, self._dead_after))
            if flagged:
                logger.warning("%d schedules do not fire any more: no live release declares them", flagged)
        if clock() >= self._next_prune:
            self._prune()

    def _prune(self) -> None:
        self._next_prune = clock() + self._settings.prune_seconds * random.uniform(0.8, 1.2)
        keep = self._settings.keep_fires_seconds
        while not self._stop.is_set() and self._database.transact(lambda conn: fires.prune(conn, keep)):
            pass
        self._database.transact(lambda conn: schedulers.prune(conn, KEEP_DEAD_SECONDS))
        self._database.transact(declarations.prune)


def make_daemon(
    settings: Settings, database: Database, *, placement: str = "separate", specs: Sequence[ScheduleSpec] = ()
) -> Daemon:
    """Return a schedule daemon, not started yet. It uses ``database`` from its own thread, one connection at a time.

    ``specs``: what it declares in its own name. A worker's engine declares by itself; a process with a daemon and
    without a worker passes its app's, or nobody declares them and they do not fire.
    """
    return Daemon(settings, database, placement, specs)

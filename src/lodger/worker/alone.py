"""An engine whose web process has been replaced: it lives on until its runs have ended, and claims nothing more.

Its supervisor went with the process, so it beats the worker's row itself, and takes it down at the end. Nobody sends
it signals unless they know of it, hence the roll, in which the web processes of the host find it. It does not outlive
the service: when the server that started the web process has gone, or no web process has been seen for a while, it
drains, with the usual grace.

Two engines may be left at once, one that was replaced and has a long run, and its successor. They share the row, so one
that dies would not be missed while the other beats: each looks after the others, and frees their runs.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Final

from lodger.processes.clock import clock
from lodger.settings import Settings
from lodger.store import rescue, workers
from lodger.store.database import Database
from lodger.wake.directory import DirectoryRefused
from lodger.worker.engine import Engine
from lodger.worker.roll import Roll

logger: Final = logging.getLogger("lodger.worker")

LOOK_SECONDS: Final = 0.5
NOBODY_SECONDS: Final = 15.0
"""How long no web process may be seen: a server with a single one needs this time to start its successor."""
FENCE_SHARE: Final = 0.9
LOOK_SHARE: Final = 0.02
ROLE: Final = "left"
ENDED: Final = -2


class Alone:
    """What a supervisor does for an engine, as far as a retiring one still needs it."""

    def __init__(self, engine: Engine, settings: Settings, database: Database, worker: str, number: int) -> None:
        """Prepare; ``database`` is its own."""
        self._engine = engine
        self._settings = settings
        self._database = database
        self._worker = worker
        self._number = number
        self._roll: Roll | None = None
        self._server = -1
        self._beside: dict[int, int] = {}
        """The living engines of the same row, by number: what tells that one has ended."""
        self._confirmed = 0.0
        self._is_dead = False
        self._has_given_up = False
        self._over = threading.Event()
        self._dead_after = settings.dead_after_seconds
        self._thread = threading.Thread(target=self._main, name="lodger-alone", daemon=True)
        self._fence = threading.Thread(target=self._keep_the_fence, name="lodger-fence", daemon=True)

    def begin(self, orders: Mapping[str, Any]) -> None:
        """Go on without a supervisor, from now on."""
        logger.info("the web process is replaced: %d runs go on, nothing is claimed", self._engine.active)
        self._engine.retire()
        self._roll = Roll(Path(orders["directory"]), orders["key"]) if orders.get("key") else None
        self._server = _process(orders["server"])
        self._confirmed = orders["confirmed"]
        for number, pid in orders["engines"]:
            if number != self._number:
                self._beside[number] = _process(pid)
        self._thread.start()
        self._fence.start()

    def end(self) -> None:
        """Take the worker's row down; nothing if it never began."""
        if not self._thread.is_alive():
            return
        self._over.set()
        self._thread.join(LOOK_SECONDS * 4)
        try:
            self._free_the_vanished()
            with self._database.connect() as conn:
                workers.leave_last(conn, self._worker, self._number)
        except Exception as error:  # noqa: BLE001 - its row falls silent, and has no runs
            logger.warning("left without a word: %s", error)

    def _main(self) -> None:
        self._enter_roll()
        seen = time.monotonic()
        next_beat = 0.0
        while not self._over.wait(LOOK_SECONDS):
            now = time.monotonic()
            if self._misses_others() or now >= next_beat:
                next_beat = now + self._settings.beat_seconds
                self._beat()
            if self._has_given_up:
                break
            if self._has_company():
                seen = now
            if self._has_no_server() or now - seen > NOBODY_SECONDS:
                self._engine.drain()
        if self._roll is not None:
            self._roll.leave()

    def _has_company(self) -> bool:
        """Whether web processes are there; also when nobody can tell."""
        if self._roll is None:
            return True
        try:
            self._roll.refresh()
            return bool(self._roll.others())
        except (OSError, DirectoryRefused) as error:
            logger.warning("the web processes can't be seen: %s", error)
            return True

    def _enter_roll(self) -> None:
        try:
            if self._roll is not None:
                self._roll.enter(ROLE)
        except (OSError, DirectoryRefused) as error:
            logger.warning("the web processes can't tell this engine to stop: %s", error)
            self._roll = None

    def _has_no_server(self) -> bool:
        return _has_ended(self._server)

    def _misses_others(self) -> bool:
        """Whether engines that were left with us have ended since we looked last."""
        ended = [number for number, process in self._beside.items() if _has_ended(process)]
        for number in ended:
            process = self._beside.pop(number)
            if process != ENDED:
                os.close(process)
        return bool(ended)

    def _free_the_vanished(self) -> None:
        """Free what engines of our row hold that are not there any more; nobody else would while we beat."""
        living = {self._number, *self._beside}
        for run in self._database.transact(lambda conn: rescue.free_vanished(conn, self._worker, living)):
            logger.error("an engine beside this one vanished with run %s of %s: now %s", run.id, run.job, run.status)

    def _beat(self) -> None:
        """Beat, for the engines beside us, too."""
        asked = clock()  # the row's silence is counted from some moment between this and the answer
        state = [{"number": self._number, "pid": os.getpid(), "state": "ending", "active": self._engine.active}]
        try:
            with self._database.connect() as conn:
                alive = workers.beat(conn, self._worker, jobs=(), engines=state, claimed=False, stopping=True)
            self._is_dead = not alive
            if alive:
                self._confirmed = asked
                self._free_the_vanished()
        except Exception as error:  # noqa: BLE001 - tried again at the next beat
            logger.warning("beat: %s", error)

    def _keep_the_fence(self) -> None:
        """Stop the jobs, which write nothing more, when our runs are others' or soon will be.

        In a thread of its own, which waits for no database: a beat may hang.
        """
        while not self._over.wait(min(LOOK_SECONDS, self._dead_after * LOOK_SHARE)):
            if self._is_dead or clock() - self._confirmed > self._dead_after * FENCE_SHARE:
                why = "was declared dead" if self._is_dead else "could not beat in time"
                logger.error("worker %s %s: its jobs are stopped", self._worker, why)
                self._has_given_up = True
                self._engine.abandon()
                return


def _process(pid: int) -> int:
    """Return a descriptor that becomes readable when the process ends; -1 where none can be had, ENDED if it has."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return ENDED
    except (AttributeError, OSError):
        return -1


def _has_ended(process: int) -> bool:
    return process == ENDED or (process >= 0 and bool(wait([process], 0)))

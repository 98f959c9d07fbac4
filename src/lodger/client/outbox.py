"""The doors of an enqueue: sync, async, or inside the app's own transaction.

Async callers go through one thread that commits all who are waiting together.

Group commit makes 20 async callers 3 to 6 times as fast as one, and each still gets its answer after the
commit. A batch that fails is repeated caller by caller, so that one bad enqueue fails alone.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from lodger.client.orphans import OrphanWatch
from lodger.errors import InvalidInput
from lodger.failpoints import failpoint
from lodger.model.run import Inserted, NewRun
from lodger.store import inserts
from lodger.store.database import Conn, Database
from lodger.store.doors import open_door
from lodger.store.steps import perform
from lodger.wake.announcer import Announcer

MAX_GROUP: Final = 500
CLOSE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Letter:
    """One async caller and its runs."""

    runs: Sequence[NewRun]
    future: Future[list[Inserted]] = field(default_factory=Future)


class Outbox:
    """Inserts runs and announces their queues."""

    def __init__(self, database: Database, announcer: Announcer, orphans: OrphanWatch | None = None) -> None:
        """Open nothing yet; tell ``announcer`` of queues that have new runs, ``orphans`` of the runs."""
        self._database = database
        self._announcer = announcer
        self._orphans = orphans
        self._letters: queue.SimpleQueue[Letter | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def insert(self, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert in a transaction of our own; on a passing fault the whole is sent again under the same ids."""
        inserted = self._insert(runs)
        self._announce(runs)
        return inserted

    async def ainsert(self, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert together with everybody who is waiting just now."""
        letter = Letter(runs)
        self._letters.put(letter)
        self._ensure_thread()
        return await asyncio.wrap_future(letter.future)

    def insert_in(self, tx: object, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert in the app's own transaction: what it rolls back never was."""
        door: Any = open_door(tx, self._database)
        if door.is_async:
            raise InvalidInput("tx", type(tx).__name__, "a sync connection; with an async one: aenqueue, aenqueue_many")
        inserted: list[Inserted] = door.run(inserts.insert(door.dialect, runs, in_app=True))
        self._announce(runs)
        return inserted

    async def ainsert_in(self, tx: object, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert in the app's own async (or sync) transaction."""
        door: Any = open_door(tx, self._database)
        if not door.is_async:
            return self.insert_in(tx, runs)
        inserted: list[Inserted] = await door.run(inserts.insert(door.dialect, runs, in_app=True))
        self._announce(runs)
        return inserted

    def close(self) -> None:
        """End the thread when everybody who waits has an answer; the next async caller starts another."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._letters.put(None)
            thread.join(CLOSE_SECONDS)

    def _insert(self, runs: Sequence[NewRun]) -> list[Inserted]:
        if len(runs) == 1 and runs[0].unique is None:
            return self._insert_one(runs)
        return self._database.transact(lambda conn: self._perform(conn, runs))

    def _insert_one(self, runs: Sequence[NewRun]) -> list[Inserted]:
        """One statement needs no BEGIN and COMMIT of its own: half of the round trips."""
        try:
            with self._database.connect() as conn:
                return self._perform(conn, runs)
        except Exception as error:
            if not self._database.is_passing(error):
                raise
            return self._database.transact(lambda conn: self._perform(conn, runs))

    def _perform(self, conn: Conn, runs: Sequence[NewRun]) -> list[Inserted]:
        inserted = perform(conn, inserts.insert(conn.dialect, runs))
        failpoint("enqueue.before_commit")
        return inserted

    def _announce(self, runs: Sequence[NewRun]) -> None:
        failpoint("enqueue.after_commit")
        self._announcer.announce({run.queue for run in runs if not run.is_scheduled})
        if self._orphans is not None:
            self._orphans.note(runs)

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._guard:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._post, name="lodger-outbox", daemon=True)
                    self._thread.start()

    def _post(self) -> None:
        is_over = False
        while not is_over:
            letters = [self._letters.get()]
            while len(letters) < MAX_GROUP:
                try:
                    letters.append(self._letters.get_nowait())
                except queue.Empty:
                    break
            is_over = None in letters
            # From here on a caller who gives up is not spared its run, and can't get in the way of the others.
            self._post_together([one for one in letters if one and one.future.set_running_or_notify_cancel()])

    def _post_together(self, letters: list[Letter]) -> None:
        runs = [run for letter in letters for run in letter.runs]
        if not runs:
            return
        try:
            inserted = iter(self.insert(runs))
        except Exception as error:  # noqa: BLE001 - handed to the callers, each its own
            if len(letters) == 1 or self._database.is_passing(error):
                for letter in letters:
                    letter.future.set_exception(error)
            else:
                for letter in letters:
                    self._post_together([letter])
            return
        for letter in letters:
            letter.future.set_result([next(inserted) for _ in letter.runs])

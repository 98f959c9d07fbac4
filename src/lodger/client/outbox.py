"""The doors of an enqueue: sync, async, or inside the app's own transaction.

Async callers are served in groups. Those with unique keys have a group of their own: they may have to wait for the
end of somebody's transaction, which all others need not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lodger.client.mail import Mail
from lodger.client.orphans import OrphanWatch
from lodger.errors import InvalidInput
from lodger.failpoints import failpoint
from lodger.model.run import Inserted, NewRun
from lodger.store import inserts
from lodger.store.database import Conn, Database
from lodger.store.doors import open_door
from lodger.store.steps import perform
from lodger.wake.announcer import Announcer


class Outbox:
    """Inserts runs and announces their queues."""

    def __init__(self, database: Database, announcer: Announcer, orphans: OrphanWatch | None = None) -> None:
        """Open nothing yet; tell ``announcer`` of queues that have new runs, ``orphans`` of the runs."""
        self._database = database
        self._announcer = announcer
        self._orphans = orphans
        self._plain = Mail("lodger-outbox", self.insert, database.is_passing)
        self._unique = Mail("lodger-outbox-unique", self.insert, database.is_passing)

    def insert(self, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert in a transaction of our own; on a passing fault the whole is sent again under the same ids."""
        inserted = self._insert(runs)
        self._announce(runs)
        return inserted

    async def ainsert(self, runs: Sequence[NewRun]) -> list[Inserted]:
        """Insert together with everybody who is waiting just now."""
        is_plain = all(run.unique is None for run in runs)
        return await (self._plain if is_plain else self._unique).send(runs)

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
        """End the threads when everybody who waits has an answer; the next async caller starts another."""
        self._plain.close()
        self._unique.close()

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

"""``complete_in``: the app's writes and the run's SUCCEEDED in one commit of the app's transaction."""

from __future__ import annotations

from typing import Any

from lodger.errors import LeaseLost
from lodger.failpoints import failpoint
from lodger.store import runs
from lodger.store.database import Database
from lodger.store.doors import open_door
from lodger.worker.attempt.live import LiveRun


class Completion:
    """Ends one run inside the app's transaction."""

    def __init__(self, live: LiveRun, tx: object, database: Database) -> None:
        """Open the app's transaction ``tx``; one bound to another database is refused."""
        self._live = live
        self._door: Any = open_door(tx, database)

    def commit(self, result: Any) -> None:
        """Mark the run SUCCEEDED and commit."""
        text = self._live.spec.result.dump(result)
        failpoint("complete.before_update")
        if not self._door.run(runs.complete(self._door.dialect, *self._live.key, text)):
            raise self._lease_lost()
        failpoint("complete.before_commit")
        self._door.commit()
        failpoint("complete.after_commit")
        self._live.completed = not self._door.held_by_block  # else the block decides, and the finish asks

    async def acommit(self, result: Any) -> None:
        """Mark the run SUCCEEDED and commit."""
        text = self._live.spec.result.dump(result)
        failpoint("complete.before_update")
        if not await self._door.run(runs.complete(self._door.dialect, *self._live.key, text)):
            raise self._lease_lost()
        failpoint("complete.before_commit")
        await self._door.commit()
        failpoint("complete.after_commit")
        self._live.completed = not self._door.held_by_block  # else the block decides, and the finish asks

    def rollback(self) -> None:
        """Take back what the transaction did."""
        self._door.rollback()

    async def arollback(self) -> None:
        """Take back what the transaction did."""
        await self._door.rollback()

    def _lease_lost(self) -> LeaseLost:
        self._live.lost = True
        return LeaseLost(*self._live.key)

"""Questions and orders about runs by id, from sync and async code. Async calls go through a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from lodger.model.ids import checked
from lodger.model.job import checked_name
from lodger.model.run import Attempt, LogLine, RunRecord
from lodger.model.status import Status
from lodger.settings import QUEUE_NAME
from lodger.store import notes, queues, runs
from lodger.store.database import Conn, Database
from lodger.store.steps import perform
from lodger.wake.announcer import Announcer

T = TypeVar("T")


class Gateway:
    """One per Lodger object."""

    def __init__(self, database: Database, announcer: Announcer) -> None:
        """Use ``database``; tell ``announcer`` of queues that have new work."""
        self._database = database
        self._announcer = announcer

    def get(self, run_id: str) -> RunRecord:
        """Return the run; raise RunNotFound."""
        key = checked(run_id)
        return self._read(lambda conn: perform(conn, runs.get(conn.dialect, key)))

    async def aget(self, run_id: str) -> RunRecord:
        """Return the run; raise RunNotFound."""
        return await asyncio.to_thread(self.get, run_id)

    def poll(self, run_id: str) -> tuple[Status, str | None, str | None]:
        """Return (status, result, error), the last two as JSON text."""
        return self._read(lambda conn: perform(conn, runs.poll_result(conn.dialect, run_id)))

    async def apoll(self, run_id: str) -> tuple[Status, str | None, str | None]:
        """Return (status, result, error), the last two as JSON text."""
        return await asyncio.to_thread(self.poll, run_id)

    def attempts(self, run_id: str) -> list[Attempt]:
        """Return the attempts told of a run (a first success is told by the run itself)."""
        key = checked(run_id)
        return self._read(lambda conn: perform(conn, runs.attempts(conn.dialect, key)))

    def log(self, run_id: str) -> list[LogLine]:
        """Return what the run's attempts logged."""
        key = checked(run_id)
        return self._read(lambda conn: notes.read_log(conn, key))

    def cancel(self, run_id: str, *, force: bool = False) -> Status:
        """Cancel a run; return its status now."""
        key = checked(run_id)
        return self._database.transact(lambda conn: perform(conn, runs.cancel(conn.dialect, key, force=force)))

    async def acancel(self, run_id: str, *, force: bool = False) -> Status:
        """Cancel a run; return its status now."""
        return await asyncio.to_thread(self.cancel, run_id, force=force)

    def retry(self, run_id: str) -> None:
        """Queue an ended run again."""
        key = checked(run_id)
        fence = self._read(lambda conn: perform(conn, runs.ended_fence(conn.dialect, key)))
        queue = self._database.transact(lambda conn: perform(conn, runs.retry(conn.dialect, key, fence)))
        self._announcer.announce({queue})

    async def aretry(self, run_id: str) -> None:
        """Queue an ended run again."""
        await asyncio.to_thread(self.retry, run_id)

    def pause(self, queue: str) -> None:
        """Stop claims from a queue; what runs goes on."""
        name = checked_name("queue", queue, QUEUE_NAME)
        self._database.transact(lambda conn: queues.pause(conn, name))

    def resume(self, queue: str) -> None:
        """Let a queue be claimed again."""
        name = checked_name("queue", queue, QUEUE_NAME)
        self._database.transact(lambda conn: queues.resume(conn, name))
        self._announcer.announce({name})

    def _read(self, work: Callable[[Conn], T]) -> T:
        """Return ``work(conn)``, once more when the connection turned out to be gone."""
        try:
            with self._database.connect() as conn:
                return work(conn)
        except Exception as error:
            if not self._database.is_passing(error):
                raise
        with self._database.connect() as conn:
            return work(conn)

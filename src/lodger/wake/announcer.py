"""Telling workers, wherever they are, that runs were enqueued."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Collection
from pathlib import Path

from lodger.processes.forking import forget_after_fork
from lodger.store.database import Database
from lodger.store.sql import DialectName
from lodger.store.steps import Step
from lodger.wake.directory import directory_for
from lodger.wake.messages import encode, notify_queues, payloads
from lodger.wake.notifier import Notifier
from lodger.wake.peers import Peers

logger = logging.getLogger(__name__)


class Announcer:
    """One for each Database of a process; any thread may use it. Opens nothing until it is used."""

    def __init__(self, database: Database, runtime_dir: Path | None = None) -> None:
        """Announce to the listeners of ``database``; ``runtime_dir`` is where their sockets are."""
        self._peers = Peers(directory_for(database, runtime_dir))
        self._notifier = Notifier(database) if database.dialect == "postgresql" else None
        self._failed = False
        forget_after_fork(self._peers)
        if self._notifier is not None:
            forget_after_fork(self._notifier)
            # A script that enqueues and ends: at its exit, what waits is sent (see Notifier.close).
            weakref.finalize(self, self._notifier.close)

    def announce(self, queues: Collection[str], *, notified: bool = False) -> None:
        """Wake the workers of ``queues``. Call it after the commit; it never raises and never waits.

        ``notified``: the transaction carried the steps of ``notify_step``, so other hosts know already.
        """
        if not queues:
            return
        try:
            self._peers.send(encode(queues))
            if self._notifier is not None and not notified:
                self._notifier.offer(queues)
        except Exception:  # the runs are committed and will be polled: no reason to fail their enqueue
            if not self._failed:
                logger.exception("workers learn of new runs by polling only")
            self._failed = True

    def notify_step(self, dialect: DialectName, queues: Collection[str]) -> list[Step]:
        """Return the step that notifies other hosts when the app's transaction commits, if one is due.

        None is due on other engines than PostgreSQL, and within 100 ms of the last one of the same queue:
        such queues are notified in the background at the end of that time, in the hope that the
        transaction is through. Not for transactions that will be prepared (two-phase commit), in which
        PostgreSQL refuses NOTIFY.
        """
        if self._notifier is None or dialect != "postgresql" or not queues:
            return []
        free = self._notifier.claim(queues)
        return [Step(notify_queues, {"queues": payloads(free)}, answers=True)] if free else []

    def close(self) -> None:
        """Send what waits (a second at most) and announce nothing any more. Safe twice."""
        self._peers.close()
        if self._notifier is not None:
            self._notifier.close()

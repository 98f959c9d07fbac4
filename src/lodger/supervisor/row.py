"""The worker's row: put up, beaten, left. And the fence: for how long its runs are surely ours."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from typing import Any, Final

from lodger.model.ids import new_id
from lodger.processes.clock import clock
from lodger.store import workers
from lodger.store.database import Conn
from lodger.supervisor.plan import Plan

FENCE_SHARE: Final = 0.9
"""Share of ``dead_after`` without a confirmed beat after which a worker gives its runs up by its own clock."""
LAST_SHARE: Final = 0.95
LOOK_SHARE: Final = 0.02
"""The share after which its engines are ended for it, if it hangs in that very beat."""


class Row:
    """One worker's row, or one after the other: a worker that was declared dead begins anew under another id."""

    def __init__(self, plan: Plan) -> None:
        """Touch nothing yet."""
        self.id = ""
        """Empty while there is none."""
        self.confirmed = 0.0
        """When the database was last asked and said that the worker lives, by ``clock``."""
        self.next_beat = 0.0
        self.is_forfeit = False
        """Engines were ended since the supervisor did not give them up in time: it has to, whatever a beat says."""
        self._guard = threading.Lock()
        self._plan = plan

    def put_up(self) -> None:
        """Register the worker under a new id."""
        worker, plan = new_id(), self._plan
        new = workers.NewWorker(
            id=worker,
            environment=plan.settings.environment,
            release=plan.settings.release,
            placement=plan.placement,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=plan.settings.queues,
            dead_after_seconds=plan.dead_after_seconds,
        )

        def register(conn: Conn) -> float:
            asked = clock()  # in each try anew: the last one counts, and they may take longer than a lease
            workers.register(conn, new)
            return asked

        asked = plan.database.transact(register)
        with self._guard:
            self.is_forfeit = False
            self.confirmed = asked
            self.id = worker
        self.next_beat = clock() + plan.settings.beat_seconds

    def give_up(self) -> None:
        """Have no row: an engine started before the next one is there would work for a dead worker."""
        with self._guard:
            self.id = ""

    def beat(
        self, engines: list[dict[str, Any]], *, jobs: Sequence[str] = (), claimed: bool = False, stopping: bool
    ) -> bool:
        """Say that the worker lives; False when it was declared dead."""
        asked = clock()  # the row's silence is counted from some moment between this and the answer
        self.next_beat = asked + self._plan.settings.beat_seconds
        with self._plan.database.connect() as conn:
            alive = workers.beat(conn, self.id, jobs=tuple(jobs), engines=engines, claimed=claimed, stopping=stopping)
        if alive:
            self.confirmed = asked
        return alive

    @property
    def is_overdue(self) -> bool:
        """Whether no beat was confirmed for so long that others may soon take the runs for theirs."""
        return bool(self.id) and (self.is_forfeit or self._is_silent_for(FENCE_SHARE))

    def forfeit_if_lost(self) -> bool:
        """Have it given up if it is overdue and nothing has come of that; return whether its engines are to end now.

        For another thread than the supervisor's, which itself waits for the database then.
        """
        with self._guard:
            self.is_forfeit = self.is_forfeit or (bool(self.id) and self._is_silent_for(LAST_SHARE))
            return self.is_forfeit

    @property
    def look_seconds(self) -> float:
        """Return how often to ask whether it is lost, to be in time."""
        return self._plan.dead_after_seconds * LOOK_SHARE

    def _is_silent_for(self, share: float) -> bool:
        return clock() - self.confirmed > self._plan.dead_after_seconds * share

    def leave(self) -> None:
        """Say that the worker is gone in order."""
        with self._plan.database.connect() as conn:
            workers.leave(conn, self.id)

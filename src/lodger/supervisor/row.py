"""The worker's row: put up, beaten, left. And the fence: for how long its runs are surely ours."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any, Final

from lodger.model.ids import new_id
from lodger.processes.clock import clock
from lodger.store import workers
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
        asked = clock()
        plan.database.transact(lambda conn: workers.register(conn, new))
        self.is_forfeit = False
        self.confirmed = asked  # first: who reads both must not take the old one for the new row's
        self.id = worker
        self.next_beat = clock() + plan.settings.beat_seconds

    def give_up(self) -> None:
        """Have no row: an engine started before the next one is there would work for a dead worker."""
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

    @property
    def is_lost(self) -> bool:
        """Whether it is overdue and nothing has come of that: the supervisor itself waits for the database."""
        return bool(self.id) and self._is_silent_for(LAST_SHARE)

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

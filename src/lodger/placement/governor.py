"""What the elected web process does: it has a worker, or stands by for separate ones (mode auto)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from lodger.model.coverage import Look
from lodger.placement.auto import LOOK_SECONDS, Memory, Own, decide, needs_jobs
from lodger.processes.clock import clock
from lodger.store import coverage
from lodger.store.database import Database
from lodger.supervisor.supervisor import Supervisor
from lodger.trouble import Trouble

logger: Final = logging.getLogger("lodger.placement")

BLIND_SECONDS: Final = 30.0


class Governor:
    """Starts and ends workers as the mode says. One thread calls it."""

    def __init__(
        self,
        make_worker: Callable[[], Supervisor],
        own: Own | None,
        database: Database,
        ask_jobs: Callable[[], Mapping[str, str] | None],
    ) -> None:
        """``own``: what mode auto judges by; None: always have a worker.

        ``ask_jobs`` finds out what ``own.jobs`` does not say, in the background: it is called until it returns them.
        """
        self._make_worker = make_worker
        self._own = own
        self._ask_jobs = ask_jobs
        self._database = database
        self._memory = Memory()
        self._since: float | None = None
        self._look_at = 0.0
        self._trouble = Trouble(logger, "who else works")
        self._worker: Supervisor | None = None
        self._leaving: list[Supervisor] = []

    @property
    def worker_id(self) -> str:
        """Return the id of the present worker, empty while there is none."""
        return self._worker.worker_id if self._worker is not None else ""

    @property
    def is_busy(self) -> bool:
        """Whether a worker is there, if only to end."""
        self._forget_the_ended()
        return self._worker is not None or bool(self._leaving)

    def turn(self) -> float:
        """Do what is to be done now; return the seconds to the next turn."""
        self._forget_the_ended()
        if self._own is None:
            self._have_worker()
            return LOOK_SECONDS
        if clock() >= self._look_at:
            self._own = self._decide(self._own)
        return max(0.0, self._look_at - clock())

    def _decide(self, own: Own) -> Own:
        """Look who else lives, and run or stand by; return what is known of ourselves by now."""
        look = self._look()
        if look is not None and needs_jobs(own, look):
            own = replace(own, jobs=self._jobs())
        decision = decide(own, look, self._memory, clock())
        self._memory = decision.memory
        self._look_at = clock() + decision.look_again_seconds
        if decision.changed:
            logger.info("%s", decision.text)
        if decision.action == "run" or self._is_blind():
            self._have_worker().yield_pairs(decision.yields)
        elif decision.action == "stand_by":
            self.retire()
        return own

    def _jobs(self) -> Mapping[str, str] | None:
        """Return the jobs that an embedded worker has: the present one says so, unless its engines only die."""
        if self._worker is not None and not self._worker.is_failing:
            return self._worker.jobs
        return self._ask_jobs()

    def _is_blind(self) -> bool:
        """Whether nothing could be decided for so long that waiting for it may be waiting for ever."""
        if self._since is None:
            self._since = clock()
        if self._memory.action is not None or clock() - self._since < BLIND_SECONDS:
            return False
        self._memory = replace(self._memory, action="run")
        return True

    def retire(self) -> None:
        """Claim nothing more; what runs goes on to its end."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.retire()
            self._leaving.append(worker)

    def drain(self) -> None:
        """Claim nothing more; what runs has the grace to end."""
        self.retire()
        for worker in self._leaving:
            worker.request_stop()

    def hand_over(self, orders: Mapping[str, Any]) -> None:
        """Claim nothing more; what runs goes on though this process ends."""
        self.retire()
        for worker in self._leaving:
            worker.hand_over(orders)

    def join(self, seconds: float) -> bool:
        """Wait for the workers to leave; return whether they have."""
        until = clock() + seconds
        for worker in self._leaving:
            worker.join(max(0.0, until - clock()))
        self._forget_the_ended()
        return not self._leaving

    def _have_worker(self) -> Supervisor:
        if self._worker is None:
            worker = self._make_worker()
            if self._own is not None:
                worker.yield_pairs(self._memory.yields)
            try:
                worker.start()
            except BaseException:  # no thread to be had: tried again at the next turn
                worker.close()
                raise
            self._worker = worker
        return self._worker

    def _forget_the_ended(self) -> None:
        """Close what is over, also a worker that nobody has told to end: the next turn has another one."""
        if self._worker is not None and self._worker.is_over:
            logger.warning("the worker ended by itself: another one is started")
            self._leaving.append(self._worker)
            self._worker = None
        for worker in [one for one in self._leaving if one.is_over]:
            self._leaving.remove(worker)
            worker.close()

    def _look(self) -> Look | None:
        try:
            with self._database.connect() as conn:
                seen = coverage.look(conn)
        except Exception as error:  # noqa: BLE001 - no look, no change
            self._trouble.note(error)
            return None
        self._trouble.end()
        return seen

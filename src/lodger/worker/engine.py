"""The engine: claims runs, has them executed, records what they came to.

One thread owns the story. Each turn is at most one transaction: write what jobs reported, claim what fits.

    executors ──report──▶ outcomes ─┐
    jobs ──save, progress──▶ desk ──┼──▶ turn: [ write ▸ record ▸ claim ] commit ──▶ executors
    wake-ups, polls ──▶ claimer ────┘

An engine that cannot reach its database claims nothing, keeps what it has to record, and tries on. It
never blames a job for that.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lodger.failpoints import failpoint
from lodger.model.coverage import Pair
from lodger.model.job import Registry
from lodger.model.outcome import Cancelled, Ending, Outcome, OutcomeKind, Stopped, Unstarted, decide
from lodger.model.run import ClaimedRun
from lodger.scheduler.declarer import Declarer
from lodger.settings import Settings
from lodger.store import claims, finish
from lodger.store.database import Conn, Database
from lodger.trouble import backoff
from lodger.wake.announcer import Announcer
from lodger.wake.listener import Listener
from lodger.worker import desk as desks
from lodger.worker.answers import Answers
from lodger.worker.attempt.endings import joined, log_failure
from lodger.worker.attempt.live import LiveRun, StopReason
from lodger.worker.bypass import Bypass
from lodger.worker.claimer import Claimer
from lodger.worker.crew import Crew
from lodger.worker.desk import EngineDesk
from lodger.worker.flight import NO_SEAT, Flight
from lodger.worker.maintenance import Chore, Maintenance
from lodger.worker.pace import HOLD_SECONDS, MAX_AHEAD, Pace
from lodger.worker.size import seats_for, sized
from lodger.worker.slots import Slots

logger: Final = logging.getLogger("lodger.worker")

POLL_SECONDS: Final = {"postgresql": 1.0, "sqlite": 1.0, "mysql": 0.15}
MAX_BACKOFF_SECONDS: Final = 5.0
CANCELLED_SECONDS: Final = 2.0
"""How long cancelled coroutines and killed processes have to report after the grace has ended."""
STOP_AGAIN_SECONDS: Final = 5.0
"""A job that has been stopped and has not ended is stopped again so often; what it cleans up should take less."""
SWITCH_SECONDS: Final = 0.001


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Which engine of which worker this is."""

    worker: str
    number: int
    owns_process: bool
    """False in thread placement: the process is the web server's."""


class EngineBroken(RuntimeError):
    """A job has done to the process what no engine can go on with."""


class Engine:
    """Executes the runs of one app in this process until it is drained."""

    def __init__(
        self,
        *,
        registry: Registry,
        database: Database,
        settings: Settings,
        identity: Identity,
        child_message: Mapping[str, Any],
        flight: Flight | None = None,
    ) -> None:
        """Prepare; ``child_message`` is what processes of the process executor are told first.

        ``flight``: what the supervisor reads when this process has died; it needs ``seats_for(settings)``.
        """
        settings = sized(settings)
        self._registry = registry
        self._database = database
        self._settings = settings
        self._identity = identity
        self._random = random.Random()
        self._news = threading.Event()
        self._answers = Answers()
        self._desk = EngineDesk(database, self._news.set)
        self._bypass = Bypass(database, self._desk, self._answers)
        self._slots = Slots(registry, settings.concurrency, settings.process_slots)
        self._pace = Pace()
        self._flight = flight or Flight(seats_for(settings))
        self._crew = Crew(registry, settings, self._desk, self._report, child_message, self._break)
        poll_seconds = settings.poll_seconds or POLL_SECONDS[database.dialect]
        self._claimer = Claimer(
            worker=identity.worker, engine=identity.number, queues=settings.queues, poll_seconds=poll_seconds
        )
        self._announcer = Announcer(database)
        self._listener = Listener(database, self._heard)
        declarer = Declarer(database, lambda: list(registry.schedules.values()), lambda: identity.worker)
        self._maintenance = Maintenance(database, settings, self._promoted, [Chore(settings.sweep_seconds, declarer)])
        self._heard_queues: set[str] = set()
        self._look_again = False
        self._drain_at: float | None = None
        self._drain_wanted = False
        self._retiring = False
        self._abandoned = False
        self._broken = False
        self._in_doubt = False
        self._held_back = False
        self._grace_ended = False
        self._held: dict[tuple[str, int], int] = {}
        """What we own and have not recorded yet (under way, or reported and waiting for its commit): its seat."""
        self._lost: set[tuple[str, int]] = set()
        self._failures = 0
        self._ended = 0
        self._next_cancel_check = 0.0

    # what others call, from any thread

    @property
    def jobs(self) -> dict[str, str]:
        """Return the names of the jobs that this engine can execute, each with its queue."""
        return {name: spec.queue for name, spec in self._registry.jobs.items()}

    @property
    def apart(self) -> tuple[str, ...]:
        """Return the names of the jobs that are known here and run in separate workers only."""
        return self._registry.apart

    @property
    def active(self) -> int:
        """Return how many runs are under way."""
        return len(self._slots.active)

    @property
    def full(self) -> bool:
        """Return whether some of its jobs find no free slot, so that not claiming is no fault."""
        return self._slots.free() <= 0 or self._slots.processes_full

    @property
    def last_claim(self) -> float:
        """Return the monotonic time of the last claim that found something; 0: never."""
        return self._claimer.last_claim

    @property
    def ended(self) -> int:
        """Return how many runs it has recorded the ends of."""
        return self._ended

    def drain(self) -> None:
        """Claim nothing more, give running jobs their grace, then end."""
        self._drain_wanted = True
        self._news.set()

    def retire(self) -> None:
        """Claim nothing more and end when the running jobs have: they are not told, and no time limits them."""
        self._retiring = True
        self._news.set()

    def yield_pairs(self, pairs: frozenset[Pair]) -> None:
        """Leave these (queue, job) to other workers; what is under way goes on."""
        self._claimer.yields = pairs
        self._look_again = True
        self._news.set()

    def kill_job(self, leader: int, pids: Sequence[int], why: str) -> None:
        """Kill a job's process, with what it has started; ``why`` is what its run crashed of."""
        self._crew.kill_job(leader, pids, why)

    def abandon(self) -> None:
        """The worker was declared dead: its runs belong to others. Stop the jobs, write nothing, end."""
        self._abandoned = True
        self._news.set()

    # the story

    def start(self) -> None:
        """Enter the app's worker lifespan; raises what it raises."""
        if self._identity.owns_process:
            sys.setswitchinterval(SWITCH_SECONDS)  # the engine waits for the GIL behind the jobs' loop: not 5 ms
        try:
            self._crew.start()
        except BaseException:
            self._crew.stop()  # in thread placement the process goes on, and we are started again and again
            raise
        self._listener.start()
        self._maintenance.start()

    def run(self) -> None:
        """Work until drained or abandoned; raises EngineBroken."""
        try:
            while not self._is_over():
                self._news.wait(self._patience())
                self._news.clear()
                if self._broken:
                    raise EngineBroken("a job has stopped the event loop that all async jobs share")
                self._act_on_wishes()
                while self._turn():
                    pass
        finally:
            self._listener.stop()
            self._maintenance.stop()
            self._crew.stop()
            self._announcer.close()

    def _break(self) -> None:
        self._broken = True
        self._news.set()

    def close(self) -> None:
        """Close its connections, where the process goes on after it (thread placement)."""
        self._database.dispose()

    def _is_over(self) -> bool:
        if self._abandoned:
            return self._drop_everything()
        is_leaving = self._drain_at is not None or self._retiring
        return is_leaving and not self._held  # also what is just between its slot and the outcomes

    def _patience(self) -> float:
        """Return the seconds until there is something to do without being called."""
        waits = [self._slots.patience(), self._desk.patience(), self._answers.patience()]
        if self._failures:
            waits = [backoff(self._failures, 0.05, MAX_BACKOFF_SECONDS) * self._random.uniform(0.5, 1)]
        elif self._may_claim():
            waits.append(self._claimer.patience())
        if self._slots.active:
            waits.append(max(0.0, self._next_cancel_check - time.monotonic()))
        if self._slots.waiting():
            waits.append(HOLD_SECONDS / 2)
        if self._drain_at is not None:
            waits.append(max(0.05, self._drain_at - time.monotonic()))
        return min((wait for wait in waits if wait is not None), default=60.0)

    def _may_claim(self) -> bool:
        return (
            self._drain_at is None
            and not self._retiring
            and not self._abandoned
            and self._slots.free(self._pace.ahead()) > 0
            and self._flight.free_seats >= self._settings.concurrency + MAX_AHEAD
        )

    def _act_on_wishes(self) -> None:
        if self._heard_queues:
            heard, self._heard_queues = self._heard_queues, set()
            self._claimer.heard(heard)
        if self._look_again:
            self._look_again = False
            self._claimer.look_again()
        for live in self._slots.overdue():
            self._stop_run(live, live.stop_reason or "timeout")
        self._give_back(0.0 if self._retiring else HOLD_SECONDS)
        if self._drain_wanted and self._drain_at is None:
            self._begin_drain()
        if self._drain_at is not None and time.monotonic() >= self._drain_at:
            self._end_grace()

    # one turn

    def _turn(self) -> bool:
        """Write, record, claim; return whether to go again at once."""
        outcomes = self._answers.take()
        batch = self._desk.take(everything=bool(outcomes))
        try:
            outcomes = self._bypass.leave_locked(batch, outcomes)
            claimed = self._exchange(batch, outcomes)
        except Exception as error:  # noqa: BLE001 - no fault of the database may end the engine or fail a job
            self._answers.put_back(outcomes)
            self._desk.put_back(batch)
            self._note_failure(error)
            return False
        if self._failures:
            logger.warning("database is back after %d failed tries", self._failures)
        self._failures = 0
        desks.confirm(batch)
        self._settle(outcomes)
        self._dispatch(claimed)
        return bool(self._answers) or (self._may_claim() and self._claimer.has_targets)

    def _exchange(self, batch: desks.Batch, outcomes: Sequence[Outcome]) -> list[ClaimedRun]:
        """Do this turn's SQL; commit at most twice (the second time for the claim alone)."""
        with self._database.connect() as conn:
            if self._in_doubt:
                self._clear_doubt(conn)
            self._check_cancels(conn)
            may_claim = self._may_claim()
            if may_claim:
                self._claimer.poll(conn)
            lanes = self._slots.lanes(self._pace.ahead()) if may_claim and self._claimer.has_targets else []
            self._held_back = self._slots.processes_full
            if not lanes:
                self._claimer.forget()
            if batch or outcomes or (lanes and self._database.dialect == "mysql"):
                with conn.transaction():
                    return self._write_and_claim(conn, batch, outcomes, lanes)
            return self._claim(conn, lanes) if lanes else []

    def _write_and_claim(
        self, conn: Conn, batch: desks.Batch, outcomes: Sequence[Outcome], lanes: Any
    ) -> list[ClaimedRun]:
        if batch:
            desks.write(conn, batch)
        self._lost = finish.record(conn, outcomes) if outcomes else set()
        if outcomes:
            failpoint("record.before_commit")
            if any(outcome.kind is OutcomeKind.INTERRUPTED for outcome in outcomes):
                failpoint("release.before_commit")
        return self._claim(conn, lanes) if lanes else []

    def _claim(self, conn: Conn, lanes: Any) -> list[ClaimedRun]:
        self._in_doubt = True  # until we know that what was claimed reached us
        claimed = self._claimer.claim(conn, lanes)
        claimed = [self._adopt(conn, run) for run in claimed]
        if claimed:
            failpoint("claim.before_commit")
        return claimed

    def _adopt(self, conn: Conn, run: ClaimedRun) -> ClaimedRun:
        """Give a run that was enqueued by name its job's limits."""
        if run.max_attempts is not None and run.on_crash is not None:
            return run
        spec = self._registry.jobs[run.job]
        limits = {"max_attempts": spec.retry.max_attempts, "on_crash": str(spec.on_crash)}
        claims.adopt(conn, run, **limits)  # type: ignore[arg-type]
        return run._replace(
            max_attempts=run.max_attempts or spec.retry.max_attempts, on_crash=run.on_crash or spec.on_crash
        )

    def _clear_doubt(self, conn: Conn) -> None:
        """Give back what a claim may have taken without telling us."""
        known = list(self._held)
        freed = claims.release_unknown(conn, worker=self._identity.worker, engine=self._identity.number, known=known)
        if freed:
            logger.warning("gave back %d runs claimed by a commit whose answer was lost", freed)
        self._in_doubt = False

    def _check_cancels(self, conn: Conn) -> None:
        if not self._slots.active or time.monotonic() < self._next_cancel_check:
            return
        self._next_cancel_check = time.monotonic() + self._settings.cancel_seconds
        leases = claims.leases(conn, worker=self._identity.worker, engine=self._identity.number)
        for key, live in list(self._slots.active.items()):
            if leases.get(key) and not live.cancelled:
                self._stop_run(live, "cancel")
            elif key not in leases and not (live.lost or live.completed or finish.has_ended(conn, *key)):
                live.lost = True  # cancelled by force, say
                self._stop_run(live, "lost")

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        """Free the slots of what was recorded; say which answers came too late."""
        if not outcomes:
            return
        failpoint("record.after_commit")
        if self._held_back:
            self._claimer.look_again()
        self._maintenance.count_finished(len(outcomes))
        self._pace.note(len(outcomes))
        self._ended += len(outcomes)
        for outcome in outcomes:
            key = (outcome.run.id, outcome.run.fence)
            self._let_go(key)
            if key in self._lost:
                logger.warning(
                    "run %s of %s: fence %d is no longer valid, its answer %s was refused",
                    *(outcome.run.id, outcome.run.job, outcome.run.fence, outcome.kind),
                )

    def _dispatch(self, claimed: Sequence[ClaimedRun]) -> None:
        self._in_doubt = False
        if not claimed:
            return
        failpoint("claim.after_commit")
        ready: list[LiveRun] = []
        for run in claimed:
            live, ending = joined(run, self._registry.jobs[run.job], self._flight)
            self._held[live.key] = live.seat
            if ending is not None:
                self._keep(live, ending)
            elif self._slots.add(live):
                ready.append(live)
        self._crew.submit(ready)

    def _note_failure(self, error: Exception) -> None:
        self._bypass.note(error)
        self._failures += 1
        if self._failures == 1:
            logger.warning(
                "database: %s: %s (claiming stops, results are kept, trying on)", type(error).__name__, error
            )

    # endings

    def _report(self, live: LiveRun, ending: Ending) -> None:
        """Take what an attempt came to, from any thread."""
        counted, heir = self._slots.remove(live)
        if counted and not self._abandoned:
            self._keep(live, ending)
            live.lost = live.lost or isinstance(ending, Stopped)  # a thread may go on: it writes nothing more
        if heir is not None and not self._abandoned:
            self._crew.submit_one(heir)
        if not self._news.is_set():
            self._news.set()

    def _keep(self, live: LiveRun, ending: Ending) -> None:
        if live.lost:
            self._let_go(live.key)
            logger.warning("run %s of %s: lease lost, nothing is written", live.claimed.id, live.claimed.job)
            return
        if live.completed:  # the commit of complete_in has told the database
            self._let_go(live.key)
            return
        outcome = decide(live.claimed, ending, live.retry, self._random)
        self._answers.add(outcome)
        if outcome.error is not None:
            log_failure(outcome)
            self._crew.tell_failure(live, outcome)

    def _stop_run(self, live: LiveRun, reason: StopReason) -> None:
        """Stop a run; it tells the first reason there was. A job may swallow that: try again until it ends."""
        live.cancelled = live.cancelled or reason == "cancel"
        live.stop_reason = live.stop_reason or reason
        if self._slots.withdraw(live):
            self._keep(live, Cancelled("cancelled before it started") if reason == "cancel" else Unstarted())
            return
        self._crew.interrupt(live)
        self._slots.remind(live, STOP_AGAIN_SECONDS)

    def _give_back(self, waited_seconds: float = 0.0) -> None:
        """Let others have what was claimed ahead and has waited so long for a slot."""
        for live in self._slots.waiting(waited_seconds):
            if self._slots.withdraw(live):
                self._keep(live, Unstarted())

    def _let_go(self, key: tuple[str, int]) -> None:
        """Forget a run: what it came to is in the database."""
        self._flight.leave(self._held.pop(key, NO_SEAT))

    # drain

    def _begin_drain(self) -> None:
        self._drain_at = time.monotonic() + self._settings.grace_seconds
        self._give_back()
        for live in list(self._slots.active.values()):
            live.stopping = True
        self._crew.notify_stopping()

    def _end_grace(self) -> None:
        """Cancel what can be cancelled; what cannot is given back while its thread still runs."""
        for live in list(self._slots.active.values()):
            if self._grace_ended or live.executor == "thread":
                self._report(live, Stopped())
            else:
                self._stop_run(live, "stop")
        self._grace_ended = True
        self._drain_at = time.monotonic() + CANCELLED_SECONDS

    def _drop_everything(self) -> bool:
        for live in list(self._slots.active.values()):
            live.lost = True
            self._stop_run(live, "lost")
        self._answers.clear()
        return True

    def _heard(self, queues: frozenset[str]) -> None:
        """Hear of queues with work; an empty set means that word was lost: look at everything."""
        self._heard_queues |= queues
        self._look_again = self._look_again or not queues
        self._news.set()

    def _promoted(self, queues: set[str]) -> None:
        self._heard_queues |= queues
        self._news.set()
        self._announcer.announce(queues)

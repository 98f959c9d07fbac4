"""What the store should do, written down without SQL: dictionaries, and the rules of the design."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lodger.errors import RunNotFound, UniqueConflict, WrongStatus
from lodger.model.outcome import MAX_CRASHES, MAX_INTERRUPTIONS, MAX_LOST, Outcome
from lodger.model.run import ClaimedRun, NewRun
from lodger.model.unique import Unique

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
WAITING = {"SCHEDULED", "QUEUED"}
Lease = tuple[str, int]


@dataclass
class Run:
    """One run; what a row of the table should say."""

    id: str
    rank: int
    status: str
    is_due: bool
    max_attempts: int | None
    on_crash: str | None
    unique: Unique | None
    holds_key: bool
    window_open: bool
    fence: int = 0
    attempt: int = 0
    crashes: int = 0
    lost: int = 0
    interruptions: int = 0
    suspect: bool = False
    cancel_requested: bool = False
    owner: str | None = None
    engine: int = 0
    is_old: bool = False
    was_started: bool = False

    @property
    def window_is_over(self) -> bool:
        """Whether only a window that has closed holds the key."""
        only_waiting = self.unique is not None and self.unique.states == "waiting"
        is_over = self.status in ENDED or (only_waiting and self.was_started)
        return self.holds_key and not self.window_open and is_over

    def leave(self, status: str, *, moves_fence: bool = False) -> None:
        """Go from RUNNING, or from waiting, to another status."""
        self.status = status
        self.owner = None
        self.fence += moves_fence
        if status in ENDED:
            self.is_old = self.cancel_requested = False
            self.holds_key = self.holds_key and self.window_open


@dataclass
class Model:
    """All that is there."""

    runs: dict[str, Run] = field(default_factory=dict)
    alive: dict[str, bool] = field(default_factory=dict)
    """Workers, and whether nobody has buried them."""
    is_paused: bool = False

    def run(self, run_id: str) -> Run:
        """The run, if it has not been pruned."""
        if run_id not in self.runs:
            raise RunNotFound(run_id)
        return self.runs[run_id]

    def insert(self, new: NewRun) -> str:
        """Insert a run; return the id of it or of the holder of its key."""
        if new.id in self.runs:
            return new.id
        if new.unique is not None:
            holder = next((run for run in self.runs.values() if run.holds_key and _key(run) == new.unique.key), None)
            if holder is not None and holder.window_is_over:
                holder.holds_key = False
            elif holder is not None:
                if new.unique.conflict == "return":
                    return holder.id
                if new.unique.conflict == "raise" or holder.status == "RUNNING":
                    raise UniqueConflict(new.unique.key, holder.id, holder.status)
                self._replace(holder)
        self.runs[new.id] = Run(
            id=new.id,
            rank=new.claim_rank,
            status="SCHEDULED" if new.is_scheduled else "QUEUED",
            is_due=False,
            max_attempts=new.max_attempts,
            on_crash=new.on_crash,
            unique=new.unique,
            holds_key=new.unique is not None,
            window_open=new.unique is not None and new.unique.window_seconds is not None,
        )
        return new.id

    def _replace(self, holder: Run) -> None:
        holder.holds_key = holder.window_open = False
        if holder.status in WAITING:
            holder.leave("CANCELLED")

    def claimable(self, worker: str) -> list[Run]:
        """The runs that this worker could be given, those of the highest priority first."""
        if self.is_paused or not self.alive[worker]:
            return []
        return sorted((run for run in self.runs.values() if run.status == "QUEUED"), key=lambda run: run.rank)

    def claim(self, run_id: str, worker: str, engine: int) -> None:
        """The store gave this run to this worker."""
        run = self.runs[run_id]
        run.status, run.owner, run.engine = "RUNNING", worker, engine
        run.fence += 1
        run.attempt += 1
        run.was_started = True
        if run.unique is not None and run.unique.states == "waiting":
            run.holds_key = run.holds_key and run.window_open

    def has(self, lease: Lease) -> bool:
        """Whether the lease is valid."""
        run = self.runs.get(lease[0])
        return run is not None and run.status == "RUNNING" and run.fence == lease[1]

    def record(self, outcome: Outcome) -> bool:
        """End an attempt; whether the lease was lost."""
        lease = outcome.run.id, outcome.run.fence
        status = str(outcome.status)
        if not self.has(lease):
            run = self.runs.get(lease[0])
            # The row may already say that this lease is over, now or since a commit whose reply was lost.
            return run is None or run.status == "RUNNING" or run.fence != lease[1] + (status == "QUEUED")
        run = self.runs[lease[0]]
        run.attempt -= outcome.refund
        run.crashes += outcome.crashed
        run.suspect = run.suspect or outcome.crashed
        run.interruptions += outcome.kind in {"INTERRUPTED", "MISMATCHED"}
        run.is_due = outcome.delay_seconds == 0
        end = "CANCELLED" if run.cancel_requested and status in WAITING else status
        run.leave(end, moves_fence=status == "QUEUED")
        return False

    def complete(self, lease: Lease) -> bool:
        """End a run in the app's transaction; whether the lease was valid."""
        valid = self.has(lease)
        if valid:
            self.runs[lease[0]].leave("SUCCEEDED")
        return valid

    def owned(self, worker: str, engine: int | None = None) -> list[Run]:
        """What a worker, or one engine of it, is running."""
        return [run for run in self.runs.values() if run.owner == worker and engine in (None, run.engine)]

    def free_engine(self, worker: str, engine: int) -> dict[str, str]:
        """An engine was seen to die. One run in it is to blame, of several nobody knows."""
        lost = self.owned(worker, engine)
        alone = len(lost) == 1
        for run in lost:
            run.crashes += alone
            run.suspect = True
            spent = alone and run.max_attempts is not None and run.attempt >= run.max_attempts
            if run.cancel_requested:
                status = "CANCELLED"
            elif run.on_crash == "fail" or run.crashes >= MAX_CRASHES or spent:
                status = "FAILED"
            else:
                status = "QUEUED"
            run.attempt -= status == "QUEUED" and not alone
            self._free(run, status)
        return _statuses(lost)

    def free_stopped(self, worker: str, engine: int) -> dict[str, str]:
        """An engine stopped in order."""
        held = self.owned(worker, engine)
        for run in held:
            run.interruptions += 1
            spent = run.interruptions >= MAX_INTERRUPTIONS
            status = "CANCELLED" if run.cancel_requested else "FAILED" if spent else "QUEUED"
            run.attempt -= status == "QUEUED"
            self._free(run, status)
        return _statuses(held)

    def free_lost(self, workers: Iterable[str]) -> dict[str, str]:
        """Workers vanished without a word: nobody is blamed."""
        lost = [run for worker in workers for run in self.owned(worker)]
        for run in lost:
            run.lost += 1
            status = "CANCELLED" if run.cancel_requested else "FAILED" if run.lost >= MAX_LOST else "QUEUED"
            run.attempt -= status == "QUEUED"
            self._free(run, status)
        return _statuses(lost)

    def give_back(self, worker: str, engine: int, known: Iterable[Lease]) -> int:
        """An engine does not know of these runs: its claim's reply was lost."""
        strangers = [run for run in self.owned(worker, engine) if (run.id, run.fence) not in set(known)]
        for run in strangers:
            run.attempt -= 1
            run.leave("CANCELLED" if run.cancel_requested else "QUEUED", moves_fence=True)
        return len(strangers)

    def _free(self, run: Run, status: str) -> None:
        run.leave(status, moves_fence=True)
        run.cancel_requested = False

    def cancel(self, run_id: str, *, force: bool) -> str:
        """Cancel a run; return its status."""
        run = self.run(run_id)
        if run.status in ENDED and run.status != "CANCELLED":
            raise WrongStatus(run_id, run.status, "cancel", "")
        if run.status in WAITING:
            run.leave("CANCELLED")
        elif run.status == "CANCELLED":
            pass
        elif force:
            self._free(run, "CANCELLED")
        else:
            run.cancel_requested = True
        return run.status

    def retry(self, run_id: str) -> None:
        """Queue an ended run again."""
        run = self.run(run_id)
        if run.status not in ENDED:
            raise WrongStatus(run_id, run.status, "retry", "")
        run.leave("QUEUED", moves_fence=True)
        run.crashes = run.lost = run.interruptions = 0
        run.is_old = False
        if run.max_attempts is not None and run.max_attempts <= run.attempt:
            run.max_attempts = run.attempt + 1

    def promote(self) -> int:
        """Queue what is due."""
        due = [run for run in self.runs.values() if run.status == "SCHEDULED" and run.is_due]
        for run in due:
            run.status = "QUEUED"
        return len(due)

    def free_unique(self) -> int:
        """Free the keys that only a closed window holds."""
        held = [run for run in self.runs.values() if run.window_is_over]
        for run in held:
            run.holds_key = False
        return len(held)

    def prune(self) -> int:
        """Forget the old."""
        old = [run.id for run in self.runs.values() if run.status in ENDED and run.is_old]
        for run_id in old:
            del self.runs[run_id]
        return len(old)


def lease_of(run: ClaimedRun) -> Lease:
    """The right to write that a claim gave."""
    return run.id, run.fence


def _key(run: Run) -> str | None:
    return run.unique.key if run.unique else None


def _statuses(runs: Iterable[Run]) -> dict[str, str]:
    return {run.id: run.status for run in runs}

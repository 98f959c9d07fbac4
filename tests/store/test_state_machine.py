"""Any order of the store's operations leaves what a model in plain Python says, on every engine.

After each step the rows are compared with the model, and what must hold in any case is looked at by itself: the fence
only grows, the state's columns are in step with the status, an ended run has an end, attempts belong to leases that
there were. Leases are used long after they were lost. Hypothesis prints the steps of the shortest failure;
LODGER_TEST_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lodger.errors import LodgerError
from lodger.model.outcome import (
    Cancelled,
    Crashed,
    Ending,
    Expired,
    Mismatched,
    Outcome,
    Raised,
    Returned,
    Snoozed,
    Stopped,
    TimedOut,
    Unstarted,
    decide,
)
from lodger.model.retry import Retry
from lodger.model.run import ClaimedRun, NewRun, RunError
from lodger.model.unique import Unique
from lodger.store import claims, queues, rescue, runs, upkeep, workers
from lodger.store.values import id_or_none, id_out
from tests.support.run_model import ENDED, Model, Run, lease_of
from tests.support.store import Store, new_run

ERROR = RunError(type="E", message="m")
ENDINGS: list[Ending] = [
    Returned(None),
    Returned("1"),
    Raised(ERROR, True),
    Raised(ERROR, False),
    TimedOut(1),
    Crashed("SIGSEGV"),
    Snoozed(0),
    Snoozed(60),
    Stopped(),
    Unstarted(),
    Cancelled("no"),
    Expired(),
    Mismatched(ERROR),
]
UNIQUE = st.builds(
    Unique,
    key=st.sampled_from("ab"),
    states=st.sampled_from(["active", "waiting"]),
    window_seconds=st.sampled_from([None, 3600.0]),
    conflict=st.sampled_from(["return", "raise", "replace"]),
)
ENGINES = st.sampled_from([1, 2])
COLUMNS = (
    "id, status, fence, attempt, max_attempts, crashes, lost, interruptions, suspect, cancel_requested, owner, engine, "
    "unique_slot, ready_queue, scheduled_at, completed_at, queue"
)
KEEP = upkeep.Retention(succeeded_seconds=86400, failed_seconds=86400)


class Machine(RuleBasedStateMachine):
    """Does everything twice, to the store and to the model."""

    made: Bundle[NewRun] = Bundle("made")
    leases: Bundle[ClaimedRun] = Bundle("leases")
    crew: Bundle[str] = Bundle("crew")

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.model = Model()
        self.fences: dict[str, int] = {}
        for table in ("run", "attempt", "worker", "queue"):
            store.change(lambda t, table=table: f"DELETE FROM {t.tables.name(table)}")  # type: ignore[misc]

    def any_run(self, condition: Callable[[Run], bool]) -> bool:
        return any(map(condition, self.model.runs.values()))

    @initialize(target=crew)
    def first_workers(self) -> MultipleResults[str]:
        return multiple(self.new_worker(), self.new_worker())

    @precondition(lambda self: not any(self.model.alive.values()))
    @rule(target=crew)
    def add_worker(self) -> str:
        return self.new_worker()

    def new_worker(self) -> str:
        worker = self.store.worker()
        self.model.alive[worker] = True
        return worker

    @initialize(target=made, number=st.integers(2, 5))
    def first_runs(self, number: int) -> MultipleResults[NewRun]:
        batch = [new_run(max_attempts=3) for _ in range(number)]
        self.store.insert(*batch)
        for new in batch:
            self.model.insert(new)
        return multiple(*batch)

    @rule(
        target=made,
        rank=st.integers(-1, 1),
        delay=st.sampled_from([0, 0, 60]),
        max_attempts=st.sampled_from([None, 1, 3]),
        on_crash=st.sampled_from([None, "retry", "fail"]),
        unique=st.none() | UNIQUE,
    )
    def enqueue(
        self, rank: int, delay: float, unique: Unique | None, **limits: Any
    ) -> NewRun | MultipleResults[NewRun]:
        new = new_run(claim_rank=rank, delay_seconds=delay, unique=unique, **limits)
        both(lambda: self.store.insert(new)[0].id, lambda: self.model.insert(new))
        return new if new.id in self.model.runs else multiple()

    @rule(new=made)
    def enqueue_again(self, new: NewRun) -> None:
        if new.id in self.model.runs:
            assert self.store.insert(new)[0].created

    @precondition(lambda self: self.any_run(lambda run: run.status == "QUEUED"))
    @rule(target=leases, worker=crew, engine=ENGINES, limit=st.integers(1, 4))
    def claim(self, worker: str, engine: int, limit: int) -> MultipleResults[ClaimedRun]:
        claimed = self.store.claim(worker, limit, engine=engine)
        could = self.model.claimable(worker)
        assert len(claimed) == min(limit, len(could))
        ranks = [self.model.runs[run.id].rank for run in claimed]
        assert ranks == [run.rank for run in could[:limit]]
        assert {run.id for run in claimed} <= {run.id for run in could}
        for run in claimed:
            self.model.claim(run.id, worker, engine)
        return multiple(*claimed)

    @rule(run=leases, how=st.sampled_from(ENDINGS))
    def finish_one(self, run: ClaimedRun, how: Ending) -> None:
        self.record([(run, how)])

    @rule(batch=st.lists(st.tuples(leases, st.sampled_from(ENDINGS)), min_size=1, max_size=4))
    def finish_some(self, batch: list[tuple[ClaimedRun, Ending]]) -> None:
        self.record(batch)

    def record(self, batch: list[tuple[ClaimedRun, Ending]]) -> None:
        chosen = {lease_of(run): (run, how) for run, how in batch}
        outcomes: list[Outcome] = [
            decide(run, how, Retry(max_attempts=3), random.Random(1)) for run, how in chosen.values()
        ]
        lost = {lease_of(outcome.run) for outcome in outcomes if self.model.record(outcome)}
        assert self.store.record(*outcomes) == lost

    @rule(run=leases)
    def complete(self, run: ClaimedRun) -> None:
        valid = self.store.do(lambda d: runs.complete(d, run.id, run.fence, None))
        assert valid == self.model.complete(lease_of(run))

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None))
    @rule(worker=crew, engine=ENGINES, known=st.lists(leases, max_size=2))
    def release_unknown(self, worker: str, engine: int, known: list[ClaimedRun]) -> None:
        held = [lease_of(run) for run in known]
        given_back = self.store.database.transact(
            lambda conn: claims.release_unknown(conn, worker=worker, engine=engine, known=held)
        )
        assert given_back == self.model.give_back(worker, engine, held)

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None))
    @rule(worker=crew, engine=ENGINES)
    def engine_dies(self, worker: str, engine: int) -> None:
        assert freed(self.store.free_engine(worker, engine)) == self.model.free_engine(worker, engine)

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None))
    @rule(worker=crew, engine=ENGINES)
    def engine_stops(self, worker: str, engine: int) -> None:
        told = self.store.database.transact(lambda conn: rescue.free_stopped(conn, worker, engine))
        assert freed(told) == self.model.free_stopped(worker, engine)

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None))
    @rule(worker=consumes(crew), again=st.booleans())
    def worker_falls_silent(self, worker: str, again: bool) -> None:
        was_alive = self.model.alive[worker]
        self.store.silence(worker)
        told = self.store.free_silent(worker)
        assert (told is None) is not was_alive
        if was_alive:
            assert freed(told or []) == self.model.free_lost([worker])
            self.model.alive[worker] = False
        if again:
            assert self.store.free_silent(worker) is None

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None))
    @rule(worker=crew)
    def worker_leaves(self, worker: str) -> None:
        self.store.database.transact(lambda conn: workers.leave(conn, worker))
        self.model.alive[worker] = False

    @rule(worker=crew)
    def worker_beats(self, worker: str) -> None:
        lives = self.store.database.transact(
            lambda conn: workers.beat(conn, worker, jobs=(), engines=[], claimed=False, stopping=False)
        )
        assert lives == self.model.alive[worker]

    @precondition(lambda self: self.any_run(lambda run: run.owner is not None and not self.model.alive[run.owner]))
    @rule()
    def sweep(self) -> None:
        gone = [worker for worker, lives in self.model.alive.items() if not lives]
        assert freed(self.store.database.transact(rescue.free_ownerless)) == self.model.free_lost(gone)

    @rule(new=made, force=st.booleans())
    def cancel(self, new: NewRun, force: bool) -> None:
        both(
            lambda: str(self.store.do(lambda d: runs.cancel(d, new.id, force=force))),
            lambda: self.model.cancel(new.id, force=force),
        )

    @precondition(lambda self: self.any_run(lambda run: run.status in ENDED))
    @rule(new=made)
    def retry(self, new: NewRun) -> None:
        def work() -> None:
            assert self.store.do(lambda d: runs.retry(d, new.id)) == "default"

        both(work, lambda: self.model.retry(new.id))

    @rule(worker=crew)
    def pause(self, worker: str) -> None:
        self.store.database.transact(lambda conn: queues.pause(conn, "default"))
        assert self.store.claim(worker) == []
        self.model.is_paused = True

    @precondition(lambda self: self.model.is_paused)
    @rule()
    def resume(self) -> None:
        self.store.database.transact(lambda conn: queues.resume(conn, "default"))
        self.model.is_paused = False

    @precondition(lambda self: self.any_run(lambda run: run.status == "SCHEDULED"))
    @rule(chosen=st.sets(made, max_size=4))
    def time_passes(self, chosen: set[NewRun]) -> None:
        for run in self.those(chosen):
            if run.status == "SCHEDULED":
                self.store.set_time(run.id, -1, "scheduled_at")
                run.is_due = True
        assert len(self.store.promote()) == self.model.promote()

    @precondition(lambda self: self.any_run(lambda run: run.window_open))
    @rule(chosen=st.sets(made, max_size=4))
    def windows_close(self, chosen: set[NewRun]) -> None:
        for run in self.those(chosen):
            if run.window_open:
                self.store.set_time(run.id, -1, "unique_until")
                run.window_open = False

    @precondition(lambda self: self.any_run(lambda run: run.holds_key))
    @rule()
    def free_unique(self) -> None:
        assert self.store.database.transact(lambda conn: upkeep.free_unique(conn, 100)) == self.model.free_unique()

    @precondition(lambda self: self.any_run(lambda run: run.status in ENDED))
    @rule(chosen=st.sets(made, max_size=4))
    def prune(self, chosen: set[NewRun]) -> None:
        for run in self.those(chosen):
            if run.status in ENDED:
                self.store.set_time(run.id, -2 * 86400, "completed_at")
                run.is_old = True
        pruned = self.store.database.transact(lambda conn: upkeep.prune(conn, KEEP, after=None))
        assert pruned.runs == self.model.prune()

    def those(self, chosen: set[NewRun]) -> list[Run]:
        """The ones that are still there."""
        return [self.model.runs[new.id] for new in chosen if new.id in self.model.runs]

    @invariant()
    def rows_say_what_the_model_says(self) -> None:
        rows = {id_out(row[0]): row for row in self.store.rows(lambda t: f"SELECT {COLUMNS} FROM {t.run}")}
        assert rows.keys() == self.model.runs.keys()
        for run_id, run in self.model.runs.items():
            _, *told, owner, engine, slot, ready, scheduled, completed, queue = rows[run_id]
            counted = [run.crashes, run.lost, run.interruptions, run.suspect, run.cancel_requested]
            assert told == [run.status, run.fence, run.attempt, run.max_attempts, *counted]
            assert id_or_none(owner) == run.owner
            assert run.owner is None or engine == run.engine
            assert (slot is not None) == run.holds_key
            assert ready == (queue if run.status == "QUEUED" else None)
            assert (scheduled is not None) == (run.status == "SCHEDULED")
            assert (completed is not None) == (run.status in ENDED)

    @invariant()
    def fences_only_grow(self) -> None:
        now = {run_id: run.fence for run_id, run in self.model.runs.items()}
        assert all(fence >= self.fences.get(run_id, 0) for run_id, fence in now.items())
        self.fences = now

    @invariant()
    def attempts_belong_to_leases_that_there_were(self) -> None:
        for row in self.store.rows(lambda t: f"SELECT run_id, fence, attempt FROM {t.attempt}"):
            run = self.model.runs[id_out(row[0])]
            assert 1 <= row[1] <= run.fence
            assert row[2] >= 0


def both(do: Any, model: Any) -> Any:
    """The answer of both, or None when both raise the same kind of error."""
    answers = []
    for work in (do, model):
        try:
            answers.append((None, work()))
        except LodgerError as error:
            answers.append((type(error), None))
    assert answers[0] == answers[1]
    return answers[0][1]


def freed(told: list[rescue.Freed]) -> dict[str, str]:
    """What a rescue freed, and what became of it."""
    return {one.id: one.status for one in told}


def test_any_order_of_operations_leaves_what_the_model_says(store: Store) -> None:
    """Fails, for example, without the fence in `finish`, or without `status <> 'RUNNING'` in replace_waiting."""
    number = int(os.environ.get("LODGER_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"LODGER_TEST_SEED={number}")
    run_state_machine_as_test(
        seed(number)(lambda: Machine(store)),
        settings=settings(
            max_examples=int(os.environ.get("LODGER_TEST_EXAMPLES", "120")),
            stateful_step_count=40,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""Every function of the store, called once over a loaded table."""

from __future__ import annotations

from dataclasses import dataclass

from lodger.model.outcome import Cancelled, Raised, Returned, Snoozed, Stopped
from lodger.model.run import ClaimedRun, RunError
from lodger.model.unique import Unique
from lodger.store import claims, coverage, finish, inserts, notes, queues, recent, rescue, runs, upkeep, workers
from lodger.store.database import Conn
from lodger.store.steps import perform
from tests.support.bulk import FINISHED, QUEUED, SCHEDULED, load
from tests.support.store import Store, ending, new_run

WAITING = 10_000
BATCH = 100
STEP = 1000
LEASES = 9


def set_up(store: Store, ended: int) -> Scene:
    """Load `ended` finished runs, ten thousand waiting ones and a few of everything else."""
    load(store, ended, FINISHED)
    # Every tenth is of a job that the claimer does not know.
    load(store, WAITING, QUEUED | {"job": "CASE WHEN i % 10 = 0 THEN 'new' ELSE 'j' END"}, start=ended)
    load(store, STEP, SCHEDULED, start=ended + WAITING)
    worker, silent, gone = (store.worker() for _ in range(3))
    leases = [store.running(worker) for _ in range(LEASES)]
    for owner, engine in ((worker, 2), (worker, 3), (silent, 1), (gone, 1)):
        store.running(owner, engine=engine)
    held = Unique(key="held")
    store.insert(new_run(queue="other", unique=held), *(new_run(unique=Unique(key=str(n))) for n in range(LEASES)))
    store.change(lambda t: f"UPDATE {t.worker} SET dead_at = beat_at WHERE id = :id", id=store.key(gone))
    store.silence(silent)
    closed = store.running(worker, unique=Unique(key="closed", window_seconds=60))
    store.finish(closed, Returned(None))
    store.set_time(closed.id, -1, "unique_until")
    return Scene(store, worker, silent, leases, held)


@dataclass(frozen=True)
class Scene:
    """What the operations need to be there."""

    store: Store
    worker: str
    silent: str
    leases: list[ClaimedRun]
    held: Unique

    def __call__(self, conn: Conn) -> None:
        """Call every function of the store."""
        for part in (
            self.look,
            self.claim,
            self.insert,
            self.finish,
            self.administer,
            self.note,
            self.keep_up,
            self.rescue,
        ):
            part(conn)

    def look(self, conn: Conn) -> None:
        """What `lodger doctor`, `lodger stats` and the watch at the enqueue read."""
        assert {one.job for one in coverage.waiting(conn)} >= {"j", "new"}
        assert {one.job for one in coverage.waiting_heads(conn, BATCH)} >= {"j", "new"}
        assert recent.totals(conn, BATCH).since
        recent.durations(conn, BATCH)
        assert recent.running(conn)["default"] > LEASES

    def claim(self, conn: Conn) -> None:
        jobs = ["k", "j"]
        assert len(claims.claim(conn, worker=self.worker, engine=9, queue="default", jobs=jobs, limit=BATCH)) == BATCH
        assert claims.queues_with_work(conn) == ["default", "other"]
        claims.adopt(conn, self.leases[0], max_attempts=1, on_crash="fail")
        claims.leases(conn, worker=self.worker, engine=1)
        assert claims.release_unknown(conn, worker=self.worker, engine=3, known=[]) == 1

    def insert(self, conn: Conn) -> None:
        perform(conn, inserts.insert(conn.dialect, [new_run()]))
        perform(conn, inserts.insert(conn.dialect, [new_run(), new_run(delay_seconds=1), new_run(meta="{}")] * 2))
        (met,) = perform(conn, inserts.insert(conn.dialect, [new_run(unique=self.held)]))
        assert not met.created
        replacing = Unique(key=self.held.key, conflict="replace")
        (made,) = perform(conn, inserts.insert(conn.dialect, [new_run(unique=replacing)]))
        assert made.created

    def finish(self, conn: Conn) -> None:
        returned, failed, snoozed, stopped, cancelled, late = self.leases[:6]
        error = RunError(type="E", message="m")
        endings = [
            ending(returned, Returned(None)),
            ending(failed, Raised(error, True)),
            ending(snoozed, Snoozed(1)),
            ending(stopped, Stopped()),
            ending(cancelled, Cancelled("no")),
            ending(late._replace(fence=7), Returned("1")),
        ]
        assert finish.record(conn, endings) == {(late.id, 7)}

    def administer(self, conn: Conn) -> None:
        d, (completed, forced, asked) = conn.dialect, self.leases[6:9]
        assert perform(conn, runs.complete(d, completed.id, completed.fence, None))
        perform(conn, runs.cancel(d, forced.id, force=True))
        perform(conn, runs.cancel(d, asked.id))
        perform(conn, runs.retry(d, completed.id))
        perform(conn, runs.cancel(d, completed.id))
        assert perform(conn, runs.cancel(d, completed.id)) == "CANCELLED"
        failed = self.leases[1].id
        assert perform(conn, runs.get(d, failed)).error
        assert len(perform(conn, runs.attempts(d, failed))) == 1
        perform(conn, runs.poll_result(d, failed))
        queues.pause(conn, "default")
        assert queues.paused(conn) == ["default"]
        queues.resume(conn, "default")
        assert queues.depths(conn)["default"] > WAITING / 2

    def note(self, conn: Conn) -> None:
        run = self.leases[8]
        assert notes.save_progress(conn, run.id, run.fence, "{}")
        assert notes.save_checkpoint(conn, run.id, run.fence, "{}")
        notes.append_log(conn, [(run.id, run.fence, 1, "INFO", "line")])
        assert len(notes.read_log(conn, run.id)) == 1

    def keep_up(self, conn: Conn) -> None:
        assert len(upkeep.promote(conn, BATCH)) == BATCH
        assert upkeep.free_unique(conn, BATCH) == 1
        retention = upkeep.Retention(succeeded_seconds=60, failed_seconds=60)
        first = upkeep.prune(conn, retention, after=None, limit=STEP)
        assert first.runs == STEP
        assert upkeep.prune(conn, retention, after=first.after, limit=STEP).runs == STEP
        upkeep.prune_workers(conn, 0)

    def rescue(self, conn: Conn) -> None:
        workers.leave_last(conn, self.worker, 1)  # engine 2 has a run
        assert rescue.free_vanished(conn, self.worker, {1, 2, 9}) == []  # engine 3 was released
        assert len(rescue.free_stopped(conn, self.worker, 1)) > 1
        assert len(rescue.free_engine(conn, self.worker, 2, "SIGSEGV")) == 1
        assert rescue.silent(conn) == [self.silent]
        assert rescue.free_silent(conn, self.silent)
        rescue.free_ownerless(conn)

"""One supervisor under test, and the enqueuing side."""

from __future__ import annotations

from lodger import Lodger
from lodger import settings as settings_module
from lodger.model.coverage import Pair, SeenWorker
from lodger.placement.launch import Placement, make_supervisor
from lodger.store import coverage
from lodger.store.database import Database
from lodger.supervisor.supervisor import Supervisor
from tests.supervisor.app import lodger as app
from tests.support.wait import wait_until

QUICK = {"beat_seconds": 0.2, "dead_after_seconds": 2, "poll_seconds": 0.1, "grace_seconds": 1}
RUDE = {"nice": 0, "job_priority": "normal"}
"""On a busy machine who gives way to everybody takes his time."""


class Bench:
    """A migrated database; ``start`` begins a worker in this process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lodger = Lodger(url=url)
        self.lodger.migrate()
        self.database = Database(url)
        self.started: Supervisor | None = None

    def start(self, placement: Placement = "child", yields: frozenset[Pair] = frozenset(), **given: object) -> None:
        settings = settings_module.read({"app": "tests.supervisor.app:lodger", **QUICK, **RUDE, **given})
        self.started = make_supervisor(placement, settings, self.url, app.registry)
        self.started.yield_pairs(yields)
        self.started.start()

    @property
    def supervisor(self) -> Supervisor:
        """What was started."""
        assert self.started is not None
        return self.started

    def seen(self) -> SeenWorker | None:
        with self.database.connect() as conn:
            return next(iter(coverage.workers(conn)), None)

    def wait_ready(self) -> SeenWorker:
        return wait_until(lambda: (one := self.seen()) and one.jobs and one, 30, "a ready worker")

    def wait_beats(self, count: int) -> None:
        """Wait until the worker has said so often that it lives: time in which it would have claimed."""
        for _ in range(count):
            last = self.seen()
            wait_until(lambda last=last: (one := self.seen()) and last and one.beat_at > last.beat_at, 10, "a beat")  # type: ignore[misc]

    def put(self, *pairs: Pair) -> list[str]:
        """Enqueue one run per (queue, job); return their ids."""
        return [self.lodger.by_name(job, queue=queue).enqueue().id for queue, job in pairs]

    def wait_status(self, status: str, *ids: str) -> None:
        wait_until(lambda: all(self.status(one) == status for one in ids), 30, f"{len(ids)} runs to be {status}")

    def wait_done(self, *ids: str) -> None:
        self.wait_status("SUCCEEDED", *ids)

    def status(self, run_id: str) -> str:
        return str(self.lodger.get_run(run_id).status)

    def close(self) -> None:
        if self.started is not None:
            self.started.stop()
        self.lodger.close()
        self.database.dispose()

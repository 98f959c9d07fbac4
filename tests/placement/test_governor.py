"""What an elected web process has: a worker, whatever became of the one before, and no more files than it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lodger import Lodger
from lodger import settings as settings_module
from lodger.model.coverage import SeenWorker
from lodger.placement import auto
from lodger.placement import governor as governor_module
from lodger.placement.auto import Own
from lodger.placement.governor import Governor
from lodger.placement.launch import make_supervisor
from lodger.store import coverage, migrations, workers
from lodger.store.database import Database
from lodger.supervisor.supervisor import Supervisor
from tests.supervisor.bench import QUICK, RUDE
from tests.support.wait import wait_until

APP = "tests.supervisor.app:lodger"
ROUNDS = 3
BEATS = 3

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


class Reluctant:
    """A companion that finds no thread to be had at first."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.said: list[str] = []

    def start(self) -> None:
        if self.tries:
            self.tries -= 1
            raise RuntimeError("can't start new thread")
        self.said.append("start")

    def request_stop(self) -> None:
        self.said.append("request_stop")

    def stop(self) -> None:
        self.said.append("stop")


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where locks and sockets are; pytest's own paths are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="lodger-") as directory:
        monkeypatch.setenv("LODGER_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
def make_worker(database_url: str, runtime_dir: Path) -> Callable[[], Supervisor]:
    settings = settings_module.read({"app": APP, **QUICK, **RUDE})
    return lambda: make_supervisor("child", settings, database_url)


@pytest.fixture
def governor(make_worker: Callable[[], Supervisor], database_url: str) -> Iterator[Governor]:
    database = Database(database_url)
    made = Governor(make_worker, None, database, lambda: None)
    yield made
    made.drain()
    assert made.join(20)
    database.dispose()


def test_a_worker_that_ended_by_itself_is_followed_by_another(governor: Governor) -> None:
    """Whatever it ended of: the process still holds the carrier's lock. Fails when what is over is kept."""
    governor.turn()
    worker = governor._worker
    assert worker is not None
    assert worker.ready.wait(30)
    worker.stop()
    governor.turn()
    assert governor._worker not in {None, worker}
    wait_until(lambda: governor.worker_id, 30, "another worker's row")


def test_it_has_a_worker_though_no_look_ever_works(
    make_worker: Callable[[], Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mode auto: nobody can say that another one serves. Fails when it waits for a look for ever."""
    database = Database(f"sqlite:///{tmp_path}/without-tables.db")
    governor = Governor(make_worker, Own(environment="default", jobs=None), database, lambda: None)
    governor.turn()
    assert governor._worker is None
    monkeypatch.setattr(governor_module, "BLIND_SECONDS", 0)
    wait_until(lambda: governor.turn() and governor.worker_id, 30, "its row")
    governor.drain()
    assert governor.join(20)
    database.dispose()


class Asked:
    """Where the app's jobs are asked for: silent until it is told what to say."""

    def __init__(self) -> None:
        self.times = 0
        self.answer: Mapping[str, str] | None = None

    def __call__(self) -> Mapping[str, str] | None:
        self.times += 1
        return self.answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def governing(
    make_worker: Callable[[], Supervisor], database_url: str, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Governor]:
    """Mode auto; it knows no job of the app yet, and looks often."""
    monkeypatch.setattr(auto, "LOOK_SECONDS", 0.1)
    database = Database(database_url)
    migrations.migrate(database)
    own = Own(environment="default", jobs=None, beat_seconds=QUICK["beat_seconds"])
    made = Governor(make_worker, own, database, asked)
    yield made
    made.drain()
    assert made.join(20)
    database.dispose()


@pytest.fixture
def start_separate(database_url: str, runtime_dir: Path) -> Iterator[Callable[[], None]]:
    started: list[Supervisor] = []

    def start() -> None:
        settings = settings_module.read({"app": APP, **QUICK, **RUDE})
        started.append(make_supervisor("separate", settings, database_url))
        started[-1].start()
        wait_until(lambda: any(one.placement == "separate" and one.jobs for one in seen()), 30, "a ready worker")

    def seen() -> list[SeenWorker]:
        with database.connect() as conn:
            return list(coverage.workers(conn))

    database = Database(database_url)
    yield start
    database.dispose()
    for separate in started:
        separate.stop()
        separate.close()


JOBS = {"alpha": "default"}


def test_its_own_worker_tells_the_jobs_that_it_can_leave_to_others(
    governing: Governor, asked: Asked, start_separate: Callable[[], None]
) -> None:
    """Fails when the app is asked, which takes an import, or when nobody is."""
    wait_until(lambda: governing.turn() and governing.worker_id, 30, "its row")
    start_separate()
    wait_until(lambda: governing.turn() and not governing.worker_id, 30, "it to stand by")
    assert asked.times == 0


def test_without_a_worker_it_asks_the_app_for_its_jobs_once_another_could_have_them(
    governing: Governor, asked: Asked, start_separate: Callable[[], None]
) -> None:
    """And begins nothing before they are told. Fails when it judges without, and when it asks for ever."""
    start_separate()
    wait_until(lambda: governing.turn() and asked.times >= BEATS, 30, "it to ask")
    assert governing._worker is None
    asked.answer = JOBS
    wait_until(lambda: governing.turn() and governing._memory.action == "stand_by", 30, "it to stand by")
    times = asked.times
    governing._look_at = 0.0
    governing.turn()
    assert asked.times == times
    assert governing._worker is None


@pytest.mark.parametrize("began", ["blind", "retired"])
def test_it_works_though_its_jobs_are_never_told(
    governing: Governor,
    asked: Asked,
    start_separate: Callable[[], None],
    began: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At its start, and elected again. Fails when it waits for them, beside whoever lives, for ever."""
    if began == "retired":
        wait_until(lambda: governing.turn() and governing.worker_id, 30, "its row")
        governing.retire()
    start_separate()
    if began == "blind":
        governing.turn()
        assert governing._worker is None
        monkeypatch.setattr(governor_module, "BLIND_SECONDS", 0)
    wait_until(lambda: governing.turn() and governing._worker, 30, "a worker")
    asked.answer = JOBS
    wait_until(lambda: governing.turn() and governing._memory.action == "stand_by", 30, "it to stand by")


def test_no_files_are_left_of_an_embedded_worker(
    database_url: str, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round for round. Fails when nobody closes the last supervisor of an embedded worker."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", "child")
    monkeypatch.setenv("LODGER_EMBED_IN_TESTS", "true")
    lodger = Lodger(app=APP, url=database_url)
    lodger.migrate()
    counts = []
    for _ in range(ROUNDS):
        with lodger.embedded():
            wait_until(lambda: live_workers(lodger), 30, "the worker's row")
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    lodger.close()
    assert counts == [counts[0]] * ROUNDS


def live_workers(lodger: Lodger) -> int:
    with lodger.database.connect() as conn:
        return len(workers.listing(conn))


def test_a_companion_that_cannot_start_does_not_end_its_worker(make_worker: Callable[[], Supervisor]) -> None:
    """It is tried again, and only what was started is stopped. Fails when its error ends the supervisor."""
    worker = make_worker()
    late, never = Reluctant(2), Reluctant(1000)
    worker.carry(late)
    worker.carry(never)
    worker.start()
    assert worker.ready.wait(30)
    wait_until(lambda: late.said, 30, "the companion to be started")
    worker.stop()
    assert worker.is_over
    assert (late.said, never.said) == (["start", "request_stop", "stop"], [])
    worker.close()

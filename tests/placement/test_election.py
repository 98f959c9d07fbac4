"""Election without a lock: the worker table decides."""

from __future__ import annotations

import logging
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lodger import settings as settings_module
from lodger.model.ids import new_id
from lodger.placement.election import ByTable, stand
from lodger.settings import Settings
from lodger.store import migrations, workers
from lodger.store.database import Database
from lodger.store.workers import NewWorker
from lodger.worker.roll import Roll

SETTINGS = settings_module.read({"app": "shop:lodger", "release": "7"})


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    migrations.migrate(opened)
    yield opened
    opened.dispose()


def put_up(
    database: Database,
    *,
    host: str | None = None,
    release: str = "7",
    placement: str = "child",
    queues: tuple[str, ...] = (),
) -> str:
    """The row of a worker that lives; return its id."""
    key = new_id()
    row = NewWorker(
        id=key,
        environment="default",
        release=release,
        placement=placement,
        host=host or socket.gethostname(),
        pid=1,
        queues=queues,
        dead_after_seconds=60,
    )
    database.transact(lambda conn: workers.register(conn, row))
    return key


def test_the_oldest_living_worker_of_the_host_carries(database: Database) -> None:
    """Red when a younger one may carry, too: two that registered at once would both stay."""
    election = ByTable(database, SETTINGS)
    assert election.carry("")
    older, younger = put_up(database), put_up(database)
    assert not election.carry("")
    assert election.carry(older)
    assert not election.carry(younger)
    with database.connect() as conn:
        workers.leave(conn, older)
    assert election.carry(younger)


def test_only_embedded_workers_of_this_host_release_and_service_count(database: Database) -> None:
    put_up(database, host="elsewhere")
    put_up(database, queues=("mail",))
    put_up(database, release="8")
    put_up(database, placement="separate")
    assert ByTable(database, SETTINGS).carry("")


def test_without_a_directory_the_table_decides_and_that_is_said(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    not_a_directory = tmp_path / "file"
    not_a_directory.touch()
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(not_a_directory))
    with caplog.at_level(logging.WARNING, "lodger.placement"):
        election = stand(database, Settings(app="shop:lodger"), "worker")
    assert isinstance(election, ByTable)
    assert "the worker table does" in caplog.text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are directories, not databases
def test_when_the_directory_is_lost_the_table_decides_until_it_is_back(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when that is an error: a process that stands by would never take over."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "run")
        place.mkdir(mode=0o700)
        monkeypatch.setenv("LODGER_RUNTIME_DIR", str(place))
        election = stand(database, SETTINGS, "worker")
        assert election.carry("")
        shutil.rmtree(place)
        place.touch()
        assert election.carry("")
        put_up(database)
        assert not election.carry("")
        assert caplog.text.count("the worker table does") == 1
        place.unlink()
        assert election.carry("")
        election.leave()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_without_space_it_still_ends_in_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when it is an error that nothing can be written: the worker would not be told to stop."""
    with tempfile.TemporaryDirectory() as directory:
        monkeypatch.setenv("LODGER_RUNTIME_DIR", directory)
        election = stand(database, SETTINGS, "worker")
        with no_space():
            election.say_stopping()
        election.leave()


@contextmanager
def no_space() -> Iterator[None]:
    """No file of this process can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # of importance are names, not databases
def test_services_whose_workers_do_not_do_the_same_elect_for_themselves(database: Database) -> None:
    """Else one of two queues would have nobody. Red when queues, or what is carried, are no part of the name."""
    mail, media = (replace(SETTINGS, queues=(queue,)) for queue in ("mail", "media"))
    apart = replace(SETTINGS, separate_queues=("media",))
    services = [(SETTINGS, "worker"), (SETTINGS, "daemon"), (mail, "worker"), (media, "worker"), (apart, "worker")]
    assert len({Roll.of(database, settings, cargo).key for settings, cargo in services}) == len(services)
    assert Roll.of(database, mail, "worker").key == Roll.of(database, replace(mail), "worker").key

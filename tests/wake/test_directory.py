"""Where the sockets are, and whose directories are refused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from lodger.store.database import Database
from lodger.wake.announcer import Announcer
from lodger.wake.directory import USUAL, DirectoryRefused, check, directory_for, make
from tests.wake.helpers import Start, Wakes

NOBODY = 65534
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")


def test_it_is_private(runtime_dir: Path) -> None:
    make(runtime_dir / "new" / "sockets")
    assert (runtime_dir / "new" / "sockets").stat().st_mode & 0o777 == 0o700


def test_it_is_named_by_user_and_database(
    runtime_dir: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = directory_for(database, runtime_dir)
    assert place == runtime_dir / f"lodger-{os.geteuid()}-{database.url.identity}"
    assert place != directory_for(Database(f"sqlite:///{tmp_path}/other.db"), runtime_dir)
    monkeypatch.delenv("LODGER_RUNTIME_DIR", raising=False)
    assert directory_for(database).parent == Path(tempfile.gettempdir())
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(runtime_dir))
    assert directory_for(database) == place


def test_where_nothing_can_be_written_there_is_a_place_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's read-only file system: enqueues go on, and workers poll. Fails when what `tempfile` raises is."""
    monkeypatch.delenv("LODGER_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    assert directory_for(database).parent == Path(USUAL)
    Announcer(database).close()


def test_a_link_is_refused(runtime_dir: Path) -> None:
    (runtime_dir / "real").mkdir(mode=0o700)
    (runtime_dir / "link").symlink_to(runtime_dir / "real")
    with pytest.raises(DirectoryRefused, match="not a directory"):
        make(runtime_dir / "link")


def test_a_directory_open_to_others_is_refused(runtime_dir: Path) -> None:
    (runtime_dir / "open").mkdir()
    (runtime_dir / "open").chmod(0o755)
    with pytest.raises(DirectoryRefused, match="open to others"):
        check(runtime_dir / "open")


@only_root
def test_somebody_elses_directory_is_refused(runtime_dir: Path) -> None:
    (runtime_dir / "theirs").mkdir(mode=0o700)
    os.chown(runtime_dir / "theirs", NOBODY, NOBODY)
    with pytest.raises(DirectoryRefused, match="belongs to user 65534"):
        make(runtime_dir / "theirs")


def test_a_path_too_long_for_a_socket_is_refused(runtime_dir: Path) -> None:
    with pytest.raises(DirectoryRefused, match="LODGER_RUNTIME_DIR"):
        make(runtime_dir / ("d" * 100))


def test_a_listener_without_a_socket_starts_and_says_so_once(
    runtime_dir: Path, database: Database, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    place = directory_for(database, runtime_dir)
    place.mkdir()
    place.chmod(0o777)
    wakes = Wakes()
    listener = start(database, wakes)
    assert listener.hears == frozenset()
    announcer = Announcer(database, runtime_dir)
    announcer.announce(["default"])
    place.chmod(0o700)  # the administrator mends it
    wakes.wait_for(everything=True)
    assert listener.hears == {"socket"}
    refusals = [record.message for record in caplog.records if "open to others" in record.message]
    assert len(refusals) == 2  # the listener's and the announcer's

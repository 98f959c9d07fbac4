"""SQLite's file from outside: its journal mode, and the disk it lies on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lodger.store import sqlite_file
from lodger.store.url import parse

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
nas:/export /srv nfs4 rw 0 0
/dev/sdb1 /srv/local\\040disk xfs rw 0 0
over /srv/twice ext4 rw 0 0
nas:/other /srv/twice cifs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    made = tmp_path / "mounts"
    made.write_text(MOUNTS)
    return made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/a.db", "ext4"),
        ("/srv/a.db", "nfs4"),
        ("/srvx/a.db", "ext4"),
        ("/srv/local disk/a.db", "xfs"),
        ("/srv/twice/a.db", "cifs"),
    ],
)
def test_the_disk_is_that_of_the_deepest_mount_and_of_two_the_later(path: str, kind: str, mounts: Path) -> None:
    assert sqlite_file.file_system(path, mounts) == kind


def test_a_host_that_does_not_tell(tmp_path: Path) -> None:
    assert sqlite_file.file_system("/a.db", tmp_path / "none") is None
    (tmp_path / "a.db").touch()
    found = sqlite_file.look(parse(f"sqlite:///{tmp_path}/a.db"), tmp_path / "none")
    assert found is not None
    assert found.is_on_network is None


def test_the_journal_mode_is_found_as_it_was(tmp_path: Path, mounts: Path) -> None:
    """Looking changes nothing, whatever the name is. Fails without `quote`, or when it looks by Lodger's connection."""
    path = tmp_path / "odd #1?.db"
    for mode in ("delete", "wal"):
        with sqlite3.connect(path) as made:
            made.execute(f"PRAGMA journal_mode = {mode}")
            made.execute(f"CREATE TABLE {mode}_was_here (a)")
        made.close()
        found = sqlite_file.look(parse(f"sqlite:///{tmp_path}/odd %231%3F.db"), mounts)
        assert found is not None
        assert (found.path, found.journal_mode, found.is_on_network) == (str(path), mode, False)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert sqlite_file.look(parse(f"sqlite:///{tmp_path}/none.db")) is None
    assert list(tmp_path.iterdir()) == []

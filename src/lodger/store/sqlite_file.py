"""SQLite's file, looked at from outside: its journal mode before a connection of Lodger's changes it, its disk."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lodger.store.url import DatabaseUrl

MOUNTS: Final = Path("/proc/self/mounts")
ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # a blank is written \040
NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "afs", "beegfs", "glusterfs", "fuse.glusterfs"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.cifs", "fuse.nfs"}
)
"""File systems whose locks or shared memory SQLite's WAL cannot rely on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqliteFile:
    """What is to be seen of the file."""

    path: str
    journal_mode: str
    file_system: str | None
    """None: this host does not tell (it is not Linux)."""

    @property
    def is_on_network(self) -> bool | None:
        """Whether it lies on a network file system, None where that is not known."""
        return None if self.file_system is None else self.file_system in NETWORK


def look(url: DatabaseUrl, mounts: Path = MOUNTS) -> SqliteFile | None:
    """Return what is to be seen; None when there is no such file, or no SQLite.

    By a connection of SQLite's own, not by reading the file: closing a file of ours would drop the locks of all
    SQLite's connections of this process to it (POSIX).
    """
    if url.dialect != "sqlite" or not Path(url.path).exists():
        return None
    return SqliteFile(path=url.path, journal_mode=_journal_mode(url.path), file_system=file_system(url.path, mounts))


def _journal_mode(path: str) -> str:
    import sqlite3

    connection = sqlite3.connect(f"file:{quote(os.path.realpath(path))}?mode=rw", uri=True, timeout=5)
    try:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        connection.close()


def file_system(path: str, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the file system that ``path`` lies on, None where ``mounts`` can't be read."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    found = None
    deepest = -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        place = ESCAPED.sub(lambda match: chr(int(match[1], 8)), place).rstrip("/")
        if (real == place or real.startswith(f"{place}/")) and len(place) >= deepest:
            found, deepest = kind, len(place)  # of two mounted on one place the later one is seen
    return found

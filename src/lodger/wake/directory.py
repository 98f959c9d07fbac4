"""The directory in which listeners of one host, user and database put their wake sockets.

Only its owner may enter it (mode 0700), so nobody else can read what is announced or wake our workers. In
a shared temporary directory anybody may have made a directory of that name before us: what is not a real
directory, or not ours, or open to others is refused, and polling remains.

The user's own runtime directory ($XDG_RUNTIME_DIR) is not used unasked: it exists for logins, not for
services and cron jobs, so that web and worker would often look in different places; and it is removed
with the last logout, under the feet of workers that go on.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from lodger.store.database import Database

VARIABLE: Final = "LODGER_RUNTIME_DIR"
USUAL: Final = "/tmp"  # noqa: S108 - where none can be used, making our own in it fails, and that is told
SUFFIX: Final = ".sock"
# sockaddr_un holds 108 bytes on Linux, 104 on macOS, with a NUL; ours are "/<pid>-<8 hex>.sock".
LONGEST_PATH: Final = 103
LONGEST_NAME: Final = len("/4194304-01234567.sock")


class DirectoryRefused(Exception):
    """The directory cannot be trusted or used; the text says why, for people."""


def directory_for(database: Database, runtime_dir: Path | None = None) -> Path:
    """Return where the wake sockets for ``database`` are, whether or not it exists."""
    root = runtime_dir or os.environ.get(VARIABLE) or _temporary()
    return Path(root).absolute() / f"lodger-{os.geteuid()}-{database.url.identity}"


def _temporary() -> str:
    """Return the directory for temporary files; on a file system that can only be read there may be none."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return USUAL


def make(directory: Path) -> None:
    """Create ``directory`` if it is not there. Raises DirectoryRefused or OSError."""
    if len(os.fsencode(directory)) + LONGEST_NAME > LONGEST_PATH:
        raise DirectoryRefused(f"{directory}: too long for the path of a socket; set {VARIABLE} to a shorter one")
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    check(directory)


def check(directory: Path) -> None:
    """Raise DirectoryRefused if somebody else may have put it there; OSError if it is not there."""
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise DirectoryRefused(f"{directory}: not a directory (a link is not followed)")
    if found.st_uid != os.geteuid():
        raise DirectoryRefused(f"{directory}: belongs to user {found.st_uid}, not to us ({os.geteuid()})")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise DirectoryRefused(f"{directory}: open to others (mode {stat.S_IMODE(found.st_mode):o}, wanted 700)")

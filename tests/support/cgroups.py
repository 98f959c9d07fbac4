"""Control groups of version 1 for tests, where the machine lets us make some."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from tests.support.wait import wait_until

ROOT: Final = Path("/sys/fs/cgroup")


def may_make(controller: str) -> bool:
    """Whether we may make groups: as root, on a machine with version 1."""
    return (ROOT / controller / "tasks").exists() and os.access(ROOT / controller, os.W_OK)


@contextmanager
def group(controller: str, **limits: int) -> Iterator[Path]:
    """A group below the root of the controller's tree; `limits` are its files, with '__' for the dot."""
    made = ROOT / controller / f"lodger-{uuid4().hex}"
    made.mkdir()
    try:
        for name, value in limits.items():
            (made / name.replace("__", ".")).write_text(str(value))
        yield made
    finally:
        wait_until(lambda: _removed(made), 20, "the dead in the group to be buried")


def _removed(made: Path) -> bool:
    """Remove it; not yet while there are zombies in it."""
    with suppress(OSError):
        made.rmdir()
    return not made.exists()


def told_inside(code: str, *groups: Path) -> str:
    """What a Python program prints that runs in these groups."""
    enter = (
        f"import os\nfor one in {[str(one / 'cgroup.procs') for one in groups]}: open(one, 'w').write(str(os.getpid()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{enter}\n{code}"], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()

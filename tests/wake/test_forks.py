"""A forked child has sockets, connections and threads of its own; the parent's go on undisturbed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.wake.helpers import TIMEOUT

FORKING = Path(__file__).with_name("forking.py")


def test_parent_and_child_each_wake_and_are_woken(postgresql_url: str, runtime_dir: Path) -> None:
    """Mutation: without abandon, the child's end says goodbye on the parent's connection."""
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", FORKING, postgresql_url, runtime_dir]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3 * TIMEOUT, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["child: ok", "parent: ok"]

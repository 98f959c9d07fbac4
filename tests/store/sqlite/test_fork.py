"""A process that forks while it uses a SQLite file: the child's commits are in the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORKING = Path(__file__).with_name("forking.py")


@pytest.mark.parametrize("how", ["idle", "in c", "at work", "own"])
def test_what_a_forked_child_was_promised_is_in_the_file(tmp_path: Path, how: str) -> None:
    """Though its parent closes the file. With a handle of the parent's in the child, SQLite locks nothing there.

    In C: fails without close=True in `forget`. Idle: without that and `close_idle`. At work: when the fork does not
    wait. Own: without `invalidate` in the child.
    """
    command = [sys.executable, "-W", "ignore::DeprecationWarning", FORKING, how, tmp_path / "test.db"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "5"

"""A process that forks: a master of web processes, or a web process with helpers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FORKING = Path(__file__).with_name("forking_web.py")
Tell = Callable[[str], list[str]]


@pytest.fixture
def tell(tmp_path: Path) -> Iterator[Tell]:
    """Beside a sibling, which carries the worker of another web process for as long as the test takes."""
    with subprocess.Popen(["sleep", "100"]) as sibling:
        (tmp_path / str(sibling.pid)).touch()

        def run(story: str) -> list[str]:
            command = [sys.executable, str(FORKING), str(tmp_path), story]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()

        yield run
        sibling.kill()


def test_a_process_with_helpers_keeps_its_worker(tell: Tell) -> None:
    """Fails when a fork makes a young process a master, or a sibling, and when a pool's process starts a worker."""
    assert tell("helpers") == ["me start"]


def test_a_process_with_early_helpers_has_a_worker(tell: Tell) -> None:
    """Fails when a sibling on the roll is taken for a child, and when a child of multiprocessing's starts."""
    assert tell("early_helpers") == ["me start"]


def test_web_processes_carry_the_worker_and_not_their_master(tell: Tell) -> None:
    """Fails when a child that stands for election is not looked for, and when a master's later children never start.

    Once they are all gone it carries, but not at the first look: they may just be being replaced.
    """
    assert tell("preload") == ["child start", "child start", "me start", "at the second look"]


def test_a_master_that_has_started_puts_its_worker_down(tell: Tell) -> None:
    """Fails when a child that stands for election is not looked for."""
    assert sorted(tell("slow_preload")[1:]) == ["child start", "me start", "me stop"]

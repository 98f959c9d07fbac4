"""Whose a process is, in a table of processes: the engine's, a job process's, or somebody else's."""

from __future__ import annotations

import os

import pytest

from lodger.processes.table import Process, exact_bytes, processes, resident_bytes
from lodger.supervisor.tree import shares

ENGINE, JOB = 8_000_000, 8_000_010
"""Larger than any process id of the kernel: nobody's memory is counted."""


def owner(process: Process) -> int | None:
    """The leader of the share that a process is in, beside an engine and a job process."""
    there = [Process(ENGINE, 1, ENGINE, ENGINE), Process(JOB, ENGINE, JOB, ENGINE), process]
    found = shares(ENGINE, {one.pid: one for one in there})
    return next((share.leader for share in found if process.pid in share.pids), None)


@pytest.mark.parametrize(
    ("process", "leader"),
    [
        (Process(ENGINE, 1, ENGINE, ENGINE), ENGINE),
        (Process(JOB, ENGINE, JOB, ENGINE), JOB),
        (Process(5, ENGINE, ENGINE, ENGINE), ENGINE),  # what a job in a thread started
        (Process(5, JOB, JOB, ENGINE), JOB),  # what a job process started
        (Process(5, JOB, 5, 5), JOB),  # with setsid
        (Process(5, ENGINE, 5, 5), 5),  # what a job in a thread started, with setsid: it comes and goes alone
        (Process(5, 1, JOB, ENGINE), JOB),  # orphans
        (Process(5, 1, ENGINE, ENGINE), ENGINE),
        (Process(5, 1, 77, ENGINE), ENGINE),
        (Process(5, 1, 5, 5), None),  # somebody else's
        (Process(5, 99, 5, 5), None),
    ],
)
def test_a_process_belongs_to_who_has_started_it(process: Process, leader: int | None) -> None:
    """Fails without the walk up, without the look at groups, without the one at the session."""
    assert owner(process) == leader


def test_this_process_is_seen_with_its_memory() -> None:
    ours = processes()[os.getpid()]
    assert ours == Process(os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0))
    assert 0 < exact_bytes(ours) <= resident_bytes(os.getpid()) * 1.5


def test_a_process_that_is_gone_has_none() -> None:
    assert exact_bytes(Process(ENGINE, 1, ENGINE, ENGINE)) == 0

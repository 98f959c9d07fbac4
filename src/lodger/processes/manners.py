"""The manners of a guest: what the processes of an embedded worker do for the web server beside them.

    engine                            nice 10: it has little to do, but holds database locks while it does it
    processes of the process executor idle: they run when nobody else on the machine wants the CPU

Both leave first when memory runs out. Priorities only go down: nothing here needs a privilege.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

JobPriority: TypeAlias = Literal["idle", "nice", "normal"]

LOWEST: Final = 19
OOM_SCORE: Final = 300
"""As if 30 % of the memory were added to what the process has: far ahead of the web server, not of a runaway."""
PROC: Final = Path("/proc/self")


def be_a_guest(niceness: int) -> None:
    """Give way to the web server (an engine, the leader of its session)."""
    _be_nice(niceness)
    _write("autogroup", niceness)
    _write("oom_score_adj", OOM_SCORE)


def be_patient(priority: JobPriority) -> None:
    """Take the priority of jobs in processes of their own (``normal``: the engine's, which was inherited)."""
    if priority == "idle":
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except (AttributeError, OSError):  # not Linux, or forbidden
            _be_nice(LOWEST)
    elif priority == "nice":
        _be_nice(LOWEST)


def _be_nice(niceness: int) -> None:
    """Lower the priority to ``niceness``, never raise it."""
    with suppress(OSError):
        os.nice(max(0, niceness - os.nice(0)))


def _write(name: str, value: int) -> None:
    """Tell the kernel, where it has this file and lets us.

    ``autogroup``: where no container and no unit of systemd's separates them, Linux shares the CPUs out among
    sessions first, and niceness counts only inside one. An engine has a session of its own.
    """
    with suppress(OSError):
        (PROC / name).write_text(str(value))

"""How processes end: by our hand, and what is told of it."""

from __future__ import annotations

import os
import signal

from lodger.processes.table import processes


def exit_text(code: int, memory_bytes: int = 0) -> str:
    """Return how a process ended, from its return code (negative: a signal), with its last known memory."""
    if code < 0:
        try:
            how = f"signal {signal.Signals(-code).name}"
        except ValueError:
            how = f"signal {-code}"
    else:
        how = f"exit code {code}"
    return f"{how}, {memory_bytes // 2**20} MB" if memory_bytes else how


def kill_group(pid: int) -> None:
    """Kill a process and its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def kill_session(leader: int) -> None:
    """Kill every process of a session: what an engine that died has left behind (Linux)."""
    for process in processes().values():
        if process.session == leader and process.pid != os.getpid():
            kill_group(process.pid)

"""What an engine has started, and whose memory it is (Linux; elsewhere nothing is seen).

engine ─┬─ ffmpeg                       a job in a thread: the engine's share
        ├─ job process ─┬─ ffmpeg       a share of its own: it leads a group
        │               └─ (setsid) …   its, too: a child is its parent's whatever session it makes
        └ ┄ orphan                      its parent has ended: found by the session, told apart by the group
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from lodger.processes.table import Process, resident_bytes


@dataclass(frozen=True, slots=True)
class Share:
    """Processes that come and go together: those of one job process, or the engine with the others."""

    leader: int
    pids: tuple[int, ...]
    resident: int
    """Bytes; what processes share is counted once for each of them."""


def shares(engine: int, table: Mapping[int, Process]) -> list[Share]:
    """Return whose the processes of an engine are, itself included."""
    owned: dict[int, list[int]] = defaultdict(list)
    for process in table.values():
        owner = _owner(process, engine, table)
        if owner is not None:
            owned[owner].append(process.pid)
    return [Share(leader, tuple(pids), sum(map(resident_bytes, pids))) for leader, pids in owned.items()]


def _owner(process: Process, engine: int, table: Mapping[int, Process]) -> int | None:
    """Return the leader of the share that a process belongs to; None: it is not the engine's."""
    if process.pid == engine:
        return engine
    top = process
    while top.parent != engine and top.parent in table:
        top = table[top.parent]
    if top.parent == engine:
        return top.pid if top.group == top.pid else engine
    if process.session != engine:
        return None
    leader = table.get(process.group)
    return process.group if leader is not None and leader.parent == engine else engine

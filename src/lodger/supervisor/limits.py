"""How much a worker's engines may use before one is replaced, or somebody is killed. Looked at once a second.

    an engine has ended so many runs     it is replaced: it retires (claims nothing more, ends with its last run),
    its process is over the soft one     and its successor starts at once, not when a run of an hour is over
    an engine is not ready in time       it is killed: the app's import, or the worker's lifespan, waits for something
                                         that may be there for the next one
    all together are over the hard one   the largest share is killed: a job's process, else an engine. Its run is
                                         told by how much, and only it is blamed

The soft one is compared with the engine's own process alone: that is what a fresh interpreter cures. Job processes
come and go, and have a limit of runs of their own.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from lodger.processes.table import Process, exact_bytes, processes, resident_bytes
from lodger.settings import Settings
from lodger.supervisor.engines import EngineHandle
from lodger.supervisor.tree import Share, shares
from lodger.worker.loading import IMPORT_SECONDS

logger: Final = logging.getLogger("lodger.supervisor")

LOOK_SECONDS: Final = 1.0
MB: Final = 2**20


class Limits:
    """The limits of one worker; its supervisor asks them in each turn."""

    def __init__(self, settings: Settings) -> None:
        """Take the limits; 0 and less are none."""
        self._runs = settings.engine_runs
        self._soft = settings.engine_soft_mb * MB
        self._hard = max(0, settings.worker_hard_mb) * MB
        self._next_look = 0.0
        self._replaced: set[int] = set()
        """Numbers of engines that have a successor and still end their runs."""
        self._told: set[int] = set()
        """Shares that their engine was told to kill at the last look."""

    def enforce(self, engines: Sequence[EngineHandle]) -> None:
        """Replace and kill what must be, if it is time to look."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self._replaced.intersection_update(engine.number for engine in engines)  # a worker that gives up buries none
        for engine in engines:
            self._end_the_stuck(engine, now)
        if not self._replaced:  # one at a time: a successor needs memory, too
            self._replace_one(engines)
        if self._hard:
            self._hold_the_ceiling([engine for engine in engines if engine.pid is not None])

    def in_service(self, engines: Sequence[EngineHandle]) -> int:
        """Return how many engines need no successor."""
        return sum(engine.number not in self._replaced for engine in engines)

    def forget(self, engine: EngineHandle) -> bool:
        """Hear that an engine has ended; return whether that was wanted."""
        wanted = engine.number in self._replaced
        self._replaced.discard(engine.number)
        return wanted

    def _end_the_stuck(self, engine: EngineHandle, now: float) -> None:
        """Kill an engine whose start does not end; a thread can't be killed, and is left to doctor to tell of."""
        if engine.pid is not None and not engine.ready and now - engine.started > IMPORT_SECONDS:
            engine.kill(f"as it was not ready in {IMPORT_SECONDS:.0f} s: the app's import or its lifespan did not end")

    # Replacing

    def _replace_one(self, engines: Iterable[EngineHandle]) -> None:
        for engine in engines:
            why = self._is_used_up(engine)
            if why:
                logger.info("engine %d is replaced: %s", engine.number, why)
                self._replaced.add(engine.number)
                engine.retire()
                return

    def _is_used_up(self, engine: EngineHandle) -> str:
        """Return why an engine is to be replaced, empty: it is not.

        Never before its first run: where the app alone is over the limit, a fresh engine would be no better.
        """
        if engine.pid is None or not engine.ended:  # a thread has its process from the web server
            return ""
        if self._runs and engine.ended >= self._runs:
            return f"it has ended {engine.ended} runs, of {self._runs}"
        if self._soft and (memory := resident_bytes(engine.pid)) > self._soft:
            return f"its process has {memory // MB} MB, over {self._soft // MB} MB"
        return ""

    # Killing

    def _hold_the_ceiling(self, engines: Sequence[EngineHandle]) -> None:
        table = processes()
        found = [(share, engine) for engine in engines if engine.pid for share in shares(engine.pid, table)]
        told, self._told = self._told, set()
        if sum(share.resident for share, _ in found) <= self._hard:
            return
        # Resident memory counts what processes share once for each; before we kill we ask exactly.
        exact = [(_exact(share, table), share, engine) for share, engine in found]
        total = sum(memory for memory, *_ in exact)
        if total > self._hard:
            memory, share, engine = max(exact, key=lambda one: one[0])
            why = f"killed at {memory // MB} MB: its worker had {total // MB} MB, over its memory ceiling of "
            self._kill(engine, share, f"{why}{self._hard // MB} MB", again=share.leader in told)

    def _kill(self, engine: EngineHandle, share: Share, why: str, *, again: bool) -> None:
        """Kill a share. Its engine does it, so that it knows what to tell of the run, unless it was told in vain."""
        logger.error("engine %d, process %d: %s", engine.number, share.leader, why)
        if share.leader == engine.pid:
            engine.kill(why)
            kill_all(share.pids)
        elif again:
            kill_all(share.pids)
        else:
            self._told.add(share.leader)
            engine.kill_job(share.leader, share.pids, why)


def _exact(share: Share, table: Mapping[int, Process]) -> int:
    return sum(exact_bytes(table[pid]) for pid in share.pids)


def kill_all(pids: Iterable[int]) -> None:
    """Kill these processes, as far as they live."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

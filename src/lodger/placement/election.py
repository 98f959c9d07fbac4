"""Which of a host's web processes carries the embedded worker: exactly one claims, however many a server starts.

The lock of the roll decides (see ``worker.roll``): the kernel frees it with its process, so a sibling takes over within
a second of a kill. Where no directory can be used, or none any more, the worker table decides instead, by the oldest
living row of this host; a carrier that was killed is then found dead only when its beats have been missing for long
enough.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from contextlib import suppress
from typing import Any, Final, Protocol

from lodger.settings import Settings
from lodger.store import coverage
from lodger.store.database import Database
from lodger.trouble import Trouble
from lodger.wake.directory import DirectoryRefused
from lodger.worker.alone import ROLE as LEFT
from lodger.worker.roll import Peer, Roll

logger: Final = logging.getLogger("lodger.placement")


class Election(Protocol):
    """One web process's side of it."""

    def carry(self, worker: str) -> bool:
        """Whether this process carries now; ``worker`` is the id of its worker, empty while it has none."""

    def put_down(self) -> None:
        """Let a sibling carry."""

    def say_stopping(self) -> None:
        """Let the siblings know that this process ends."""

    def siblings(self) -> list[Peer]:
        """Return the other web processes of this host that may carry."""

    def stop_engines_left(self) -> None:
        """Have the engines drain that went on when their web process was replaced."""

    def engines_left(self) -> list[Peer]:
        """Return those that have not ended yet."""

    def orders(self) -> dict[str, Any]:
        """Return what an engine needs to know to go on alone."""

    def leave(self) -> None:
        """Be no candidate any more."""


class ByTable(Election):
    """The oldest living worker of this host decides; siblings that carry nothing are not seen."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._last = False

    def carry(self, worker: str) -> bool:
        """Whether this process carries now."""
        try:
            with self._database.connect() as conn:
                found = coverage.workers(conn)
        except Exception as error:  # noqa: BLE001 - no answer: as before
            logger.info("election: %s", error)
            return self._last
        here = (socket.gethostname(), self._settings.environment, self._settings.release, self._settings.queues)
        others = [
            one.id
            for one in found
            if one.is_embedded
            and one.is_live
            and one.stopping_seconds is None
            and one.id != worker
            and (one.host, one.environment, one.release, one.queues) == here
        ]
        self._last = min(others, default="~") > worker if worker else not others
        return self._last

    def put_down(self) -> None:
        """Let a sibling carry."""
        self._last = False

    def say_stopping(self) -> None:
        """The worker's row says it."""

    def siblings(self) -> list[Peer]:
        """Return the other web processes that may carry."""
        return []

    def stop_engines_left(self) -> None:
        """They are not known; they see that their server is gone."""

    def engines_left(self) -> list[Peer]:
        """Nobody knows."""
        return []

    def orders(self) -> dict[str, Any]:
        """Return what an engine needs to know to go on alone."""
        return {"directory": "", "key": "", "server": os.getppid()}

    def leave(self) -> None:
        """Be no candidate any more."""
        self._database.dispose()


class ByRoll(Election):
    """The lock decides; while it cannot be had or kept, as its directory is gone or full, the table does."""

    def __init__(self, roll: Roll, table: ByTable) -> None:
        self._roll = roll
        self._table = table
        self._trouble = Trouble(logger, "no lock decides which web process carries the worker, the worker table does")
        roll.enter()

    def carry(self, worker: str) -> bool:
        """Whether this process carries now."""
        try:
            carries = self._roll.carry()
        except (OSError, DirectoryRefused) as error:
            self._trouble.note(error)
            return self._table.carry(worker)
        self._trouble.end()
        return carries

    def put_down(self) -> None:
        """Let a sibling carry."""
        self._roll.put_down()

    def say_stopping(self) -> None:
        """Let the siblings know that this process ends."""
        with suppress(OSError):  # no space left: nothing that must keep us from ending in order
            self._roll.say_stopping()

    def siblings(self) -> list[Peer]:
        """Return the other web processes that may carry."""
        return self._roll.others()

    def stop_engines_left(self) -> None:
        """Have engines drain that went on alone."""
        for engine in self._roll.others(LEFT):
            with suppress(ProcessLookupError):
                os.kill(engine.pid, signal.SIGTERM)

    def engines_left(self) -> list[Peer]:
        """Return those that have not ended yet."""
        return self._roll.others(LEFT)

    def orders(self) -> dict[str, Any]:
        """Return what an engine needs to know to go on alone."""
        return {"directory": str(self._roll.directory), "key": self._roll.key, "server": os.getppid()}

    def leave(self) -> None:
        """Be no candidate any more."""
        self._roll.leave()
        self._table.leave()


def stand(database: Database, settings: Settings, cargo: str) -> Election:
    """Stand for election, by the roll if there can be one; ``cargo`` names what the elected one carries."""
    table = ByTable(database, settings)
    try:
        return ByRoll(Roll.of(database, settings, cargo), table)
    except (OSError, DirectoryRefused) as error:
        logger.warning("no lock decides which web process carries the worker (%s): the worker table does", error)
        return table


def glance(database: Database, settings: Settings, cargo: str) -> list[Peer]:
    """Return who stands for election on this host, without standing oneself."""
    try:
        return Roll.of(database, settings, cargo).others()
    except (OSError, DirectoryRefused):
        return []

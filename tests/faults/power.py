"""Databases that can be switched off under their clients: a server is killed, SQLite's file is locked by others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tools.servers import SERVERS, Server


class Power(Protocol):
    """One database with its switch."""

    url: str
    words: str
    """What a worker says when it meets it switched off."""

    def off(self) -> None:
        """From now on, nobody can write."""

    def on(self) -> None:
        """From now on, everybody can again."""


class ServerPower:
    """A server that is killed as by a loss of power, and recovers from its log."""

    words = "claiming stops, results are kept, trying on"

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.create_database("faults")

    def off(self) -> None:
        """Kill it."""
        self._server.kill()

    def on(self) -> None:
        """Start it on the same data, and wait until it answers."""
        self._server.start()


class FilePower:
    """SQLite's writers wait for five seconds, then give up: somebody else holds the lock for longer."""

    words = "database is locked (claiming stops"

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._holder: sqlite3.Connection | None = None

    def off(self) -> None:
        """Begin to write, and do not end."""
        self._holder = sqlite3.connect(self._path, timeout=60, isolation_level=None)
        self._holder.execute("BEGIN EXCLUSIVE")

    def on(self) -> None:
        """Let go."""
        assert self._holder is not None
        self._holder.close()


@contextmanager
def powered(engine: str, directory: Path) -> Iterator[Power]:
    """A database of one test's own."""
    if engine == "sqlite":
        yield FilePower(directory / "test.db")
        return
    with SERVERS[engine](buffer_mb=64) as server:
        yield ServerPower(server)

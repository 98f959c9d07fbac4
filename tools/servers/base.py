"""What all servers have in common: a directory, a port, a process, a guard.

start() ──> running ── shut_down() / kill() ──> down, the data stay ── start() ──> running
               └────────────────── stop() ──> gone, the directory removed
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, Self

import psutil

from tools.servers import admin, guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.02
PORT_TRIES = 5


class ServerError(Exception):
    """A server could not be installed, started or stopped; the message ends with its log."""


class Server(ABC):
    """One real server on a free loopback port, with its data in a temporary directory.

    `options` are the server's own settings, added to (and winning over) those that `settings()` gives.
    `version`, `create_database` and `drop_database` need it running.
    """

    name: ClassVar[str]

    def __init__(self, *, buffer_mb: int = 256, options: Mapping[str, str] | None = None) -> None:
        self.buffer_mb = buffer_mb
        self.options = dict(options or {})
        self.directory = Path()
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    # What each server says of itself

    @property
    @abstractmethod
    def url(self) -> str:
        """The administrator's URL."""

    @abstractmethod
    def _initialise(self) -> None:
        """Fill the new directory with an empty data directory; may set what `_command` needs."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The command that runs the server in the foreground."""

    @abstractmethod
    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        """Ask for an orderly shutdown that does not wait for clients."""

    def _account(self) -> str | int | None:
        """The user that the server runs as; None is ourselves."""
        return None

    # Life

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's main process."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until it answers; after `kill` or `shut_down`, on the same port with the same data."""
        if self.running:
            return self
        try:
            if self._guard is None:
                self._prepare()
                self._launch_on_a_free_port()
            else:
                self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def shut_down(self) -> None:
        """An orderly shutdown, as an administrator does it; the data stay."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._terminate(self._process)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """SIGKILL to every process of the server, as a loss of power would end it; the data stay."""
        if self._process is not None:
            with suppress(psutil.NoSuchProcess):
                guard.kill_tree(self._process.pid, psutil.Process(self._process.pid).create_time())
            self._process.wait(STOP_TIMEOUT_SECONDS)
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again at once: clients lose their connections, the server recovers from its log."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Shut down and remove everything."""
        self.shut_down()
        if self._guard is not None:
            # The guard does what it would do for a starter that died: there is one way to clean up, always used.
            self._guard.communicate()
            self._guard = None

    # Its databases

    @property
    def version(self) -> str:
        """As the server tells it: `17.2`."""
        return admin.server_version(self.url)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        return admin.create_database(self.url, name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that still use it."""
        admin.drop_database(self.url, name)

    # Steps

    def _prepare(self) -> None:
        self.directory = new_directory(self.name)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, self.directory],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the starter; the guard goes when the starter has gone
        )
        if (account := self._account()) is not None:
            shutil.chown(self.directory, account)
        self._initialise()

    def _launch_on_a_free_port(self) -> None:
        for attempt in range(1, PORT_TRIES + 1):
            self.port = free_port()
            try:
                self._launch()
            except ServerError:  # mostly: somebody took the port before the server did
                if attempt == PORT_TRIES:
                    raise
            else:
                return

    def _launch(self) -> None:
        with self._log() as log:
            self._process = self._spawn(self._command(), log)
        self._tell_guard(self._process.pid)
        self._wait_until_it_answers(self._process)

    def _spawn(self, command: Sequence[str | Path], log: IO[bytes]) -> subprocess.Popen[bytes]:
        account = self._account()
        return subprocess.Popen(
            command,
            cwd=self.directory,  # ours may be closed to the account
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account,
            group=primary_group(account) if account is not None else None,
            extra_groups=[] if account is not None else None,
        )

    def _run(self, command: Sequence[str | Path]) -> None:
        """Run a command of the server's own to its end, as its account."""
        with self._log() as log:
            process = self._spawn(command, log)
        try:
            status = process.wait(START_TIMEOUT_SECONDS)
        except BaseException:
            process.kill()
            raise
        if status != 0:
            raise self._error(f"{Path(command[0]).name} ended with {status}")

    def _tell_guard(self, pid: int) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        line = json.dumps([pid, psutil.Process(pid).create_time()]) + "\n"
        self._guard.stdin.write(line.encode())
        self._guard.stdin.flush()

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise self._error(f"the server ended with {process.returncode} while starting")
            with suppress(*admin.CONNECTION_ERRORS):
                admin.server_version(self.url)
                return
            time.sleep(POLL_SECONDS)
        self.kill()
        raise self._error(f"the server did not answer within {START_TIMEOUT_SECONDS} s")

    def _log(self) -> IO[bytes]:
        return (self.directory / "log").open("ab")

    def _error(self, what: str) -> ServerError:
        log = (self.directory / "log").read_text(errors="replace").splitlines()
        return ServerError("\n    ".join([f"{self.name}: {what}; its log ends:", *log[-15:]]))


def new_directory(name: str) -> Path:
    """A new temporary directory that other accounts can get to, with a path short enough for a socket."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 (mkdtemp makes it private)
    parent = next((path for path in candidates if path.is_dir() and open_to_others(path)), candidates[0])
    return Path(tempfile.mkdtemp(prefix=f"lodger-{name}-", dir=parent))


def open_to_others(path: Path) -> bool:
    """Whether accounts other than the owner can get through to `path`."""
    path = path.resolve()
    return all(part.stat().st_mode & 0o001 for part in [path, *path.parents])


def primary_group(account: str | int) -> int:
    """The group that an account's processes have."""
    import pwd

    return (pwd.getpwuid(account) if isinstance(account, int) else pwd.getpwnam(account)).pw_gid


def free_port() -> int:
    """A loopback port below those that the system hands out to clients.

    From those, a client that keeps trying to reach a stopped server would sooner or later be given the server's own
    port as its local one, and so connect to itself and keep the server from coming back.
    """
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    msg = "no free port between 15000 and 32000"
    raise ServerError(msg)


def is_root() -> bool:
    """Whether we may do anything."""
    return os.geteuid() == 0

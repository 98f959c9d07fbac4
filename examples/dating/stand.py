"""Puts the demo up and takes it down again: database, tables, web service, perhaps a separate worker."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from examples.dating.service import MARKER, Service, wait_nothing_left

ROOT = Path(__file__).parents[2]
APP = "examples.dating.jobs:lodger"
START_TIMEOUT_SECONDS = 60
LODGER = str(Path(sys.executable).with_name("lodger"))
"""The installed command, as a deployment runs it."""


class DemoError(Exception):
    """Told to the person at the console, without a traceback."""


@dataclass(frozen=True, kw_only=True)
class Options:
    engine: str
    """sqlite, postgresql or mariadb; ignored when a URL is given."""
    database_url: str | None
    placement: str
    """child, thread or separate."""
    host: str
    port: int
    """0: any free one."""
    data: Path | None
    """None: a new folder."""
    temporary: bool
    """Remove everything at the end, and keep the services' output to ourselves."""


class Stand:
    """The running demo."""

    def __init__(self, options: Options, port: int, data: Path, url: str) -> None:
        self.address = f"http://{_reachable(options.host)}:{port}"
        self.data = data
        self.database = url.partition(":")[0] if options.database_url else options.engine
        self.services: list[Service] = []
        self.killed: list[str] = []
        """What had to be killed at a stop, as it did not go by itself. Empty is right."""
        self._marker = uuid.uuid4().hex
        self._env = _environment(options, data, url) | {MARKER: self._marker}
        self._commands = _commands(options, port)
        self._quiet = options.temporary
        self._earlier_output = ""

    def migrate(self) -> None:
        self.lodger("migrate")

    def lodger(self, *arguments: str) -> str:
        """Run a command as an operator would, on the site's database; return what it prints."""
        done = subprocess.run(
            [LODGER, *arguments], env=self._env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            what = " ".join(["lodger", *arguments])
            raise DemoError(f"{what} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start the services and wait until the site answers."""
        for name, command in self._commands.items():
            self.services.append(Service(name, command, self._env, ROOT, quiet=self._quiet))
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        with httpx.Client(base_url=self.address, trust_env=False) as client:
            while time.monotonic() < deadline:
                if service := self.dead():
                    raise DemoError(f"{service.name} ended with {service.exit_code} at its start:\n{self.output()}")
                try:
                    if client.get("/healthz").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.05)
        raise DemoError(f"The site did not answer within {START_TIMEOUT_SECONDS} s:\n{self.output()}")

    def stop(self) -> None:
        """Ask all services to stop, wait, and see to it that nothing is left."""
        for service in self.services:
            service.ask_to_stop()
        self.killed += [service.name for service in self.services if not service.wait_stopped()]
        self.killed += wait_nothing_left(self._marker)
        self._earlier_output = self.output()
        self.services.clear()

    def dead(self) -> Service | None:
        return next((service for service in self.services if service.exit_code is not None), None)

    def output(self) -> str:
        lines = [f"{service.name:>6} | {line}" for service in self.services for line in service.lines]
        return "\n".join(filter(None, [self._earlier_output, *lines]))


@contextmanager
def standing(options: Options) -> Iterator[Stand]:
    """The demo, up and answering; at the end of the block everything it started is gone."""
    with ExitStack() as stack:
        data = _data_folder(options, stack)
        port = _port(options)
        url = options.database_url or _database(options.engine, data, stack)
        stand = Stand(options, port, data, url)
        stand.migrate()
        try:
            stand.start()
            yield stand
        finally:
            stand.stop()


def _commands(options: Options, port: int) -> dict[str, list[str]]:
    site = [sys.executable, "-m", "uvicorn", "examples.dating.web:app", "--no-access-log"]
    commands = {"web": [*site, "--host", options.host, "--port", str(port)]}
    if options.placement == "separate":
        commands["worker"] = [LODGER, "worker"]
    return commands


def _environment(options: Options, data: Path, url: str) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # What the services put into the temporary folder then goes with the data.
    temporary = {"TMPDIR": str(data), "DATING_REPORT_SECONDS": "2"} if options.temporary else {}
    return (
        os.environ
        | temporary
        | {
            "DATABASE_URL": url,
            "DATING_DATA": str(data),
            "LODGER_APP": APP,
            "EMBEDDED_JOB_WORKER": "false" if options.placement == "separate" else options.placement,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
        }
    )


def _data_folder(options: Options, stack: ExitStack) -> Path:
    if options.temporary:
        folder = Path(tempfile.mkdtemp(prefix="dating-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    folder = options.data or Path.cwd() / "var" / "demo" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _database(engine: str, data: Path, stack: ExitStack) -> str:
    if engine == "sqlite":
        return f"sqlite:///{data / 'dating.db'}"
    from tools.servers import SERVERS  # needs psycopg and PyMySQL: only where they are used

    return stack.enter_context(SERVERS[engine]()).create_database("dating")


def _port(options: Options) -> int:
    """Look before starting, so that a taken port is one clear line and not a stack of log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise DemoError(f"{options.host}:{options.port}: {error.strerror}; choose another with --port.") from error
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - compared, not bound

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
from dataclasses import dataclass, field
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


@dataclass(kw_only=True)
class Stand:
    """The running demo."""

    address: str
    data: Path
    database: str
    services: list[Service] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    """What had to be killed at the end; filled when the stand is down. Empty is right."""

    def dead(self) -> Service | None:
        return next((service for service in self.services if service.exit_code is not None), None)

    def output(self) -> str:
        return "\n".join(f"{service.name:>6} | {line}" for service in self.services for line in service.lines)


@contextmanager
def standing(options: Options) -> Iterator[Stand]:
    """The demo, up and answering; at the end of the block everything it started is gone."""
    marker = uuid.uuid4().hex
    with ExitStack() as stack:
        data = _data_folder(options, stack)
        port = _port(options)
        url = options.database_url or _database(options.engine, data, stack)
        env = _environment(options, data, url, marker)
        stand = Stand(address=f"http://{_reachable(options.host)}:{port}", data=data, database=url.partition(":")[0])
        _migrate(env)
        try:
            _start(stand, options, port, env)
            _wait_until_it_answers(stand)
            yield stand
        finally:
            _stop(stand, marker)


def _start(stand: Stand, options: Options, port: int, env: dict[str, str]) -> None:
    site = [sys.executable, "-m", "uvicorn", "examples.dating.web:app", "--no-access-log"]
    site += ["--host", options.host, "--port", str(port)]
    stand.services.append(Service("web", site, env, ROOT, quiet=options.temporary))
    if options.placement == "separate":
        stand.services.append(Service("worker", [LODGER, "worker"], env, ROOT, quiet=options.temporary))


def _stop(stand: Stand, marker: str) -> None:
    for service in stand.services:
        service.ask_to_stop()
    for service in stand.services:
        if not service.wait_stopped():
            stand.killed.append(service.name)
    stand.killed += wait_nothing_left(marker)


def _environment(options: Options, data: Path, url: str, marker: str) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "DATABASE_URL": url,
        "DATING_DATA": str(data),
        "LODGER_APP": APP,
        "EMBEDDED_JOB_WORKER": "false" if options.placement == "separate" else options.placement,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        MARKER: marker,
    }


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


def _migrate(env: dict[str, str]) -> None:
    done = subprocess.run([LODGER, "migrate"], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"lodger migrate ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _wait_until_it_answers(stand: Stand) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    with httpx.Client(base_url=stand.address, trust_env=False) as client:
        while time.monotonic() < deadline:
            if service := stand.dead():
                raise DemoError(f"{service.name} ended with {service.exit_code} at its start:\n{stand.output()}")
            try:
                if client.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise DemoError(f"The site did not answer within {START_TIMEOUT_SECONDS} s:\n{stand.output()}")

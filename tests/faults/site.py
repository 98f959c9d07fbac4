"""Web servers with two web processes each, as their users start them, and a site under one of them."""

from __future__ import annotations

import socket
import sys
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.fleet import Fleet, Worker, command_of
from tests.faults.visitor import OK, ask
from tests.support.wait import wait_until

MAX_REQUESTS: Final = 40
ASGI: Final = "tests.faults.web:app"
WSGI: Final = "tests.faults.web_wsgi:app"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A command line; `{socket}` is where it listens, `{max}` after how many requests a process is replaced."""

    name: str
    command: str
    outlives: bool = True
    """Whether it goes on when one of its web processes is killed."""
    recycles: bool = True
    """Whether it replaces a process after so many requests."""
    tells: bool = True
    """Whether its web processes hear at once that it stops; else after its own time for open responses, 3 seconds."""

    def __str__(self) -> str:
        return self.name


def _gunicorn(name: str, options: str, app: str) -> tuple[Server, Server]:
    command = f"gunicorn --workers 2 --bind unix:{{socket}} --max-requests {{max}} {options}"
    return (
        Server(name=f"gunicorn-{name}", command=f"{command} {app}"),
        Server(name=f"gunicorn-{name}-preload", command=f"{command} --preload {app}"),
    )


SERVERS: Final = (
    Server(name="uvicorn", command=f"uvicorn --workers 2 --uds {{socket}} --limit-max-requests {{max}} {ASGI}"),
    *_gunicorn("sync", "", WSGI),
    *_gunicorn("uvicorn", "-k uvicorn_worker.UvicornWorker", ASGI),
    *_gunicorn("asgi", "-k asgi", ASGI),
    Server(
        name="granian",
        command=f"granian --interface asgi --workers 2 --uds {{socket}} --respawn-failed-workers {ASGI}",
        recycles=False,
    ),
    Server(
        name="hypercorn",
        command=f"hypercorn --workers 2 --bind unix:{{socket}} --max-requests {{max}} {ASGI}",
        outlives=False,
        tells=False,
    ),
)


class Site:
    """A running site."""

    def __init__(self, fleet: Fleet, server: Server, path: Path, **settings: str | float) -> None:
        program, *rest = server.command.format(socket=path, max=MAX_REQUESTS).split()
        bin_directory = Path(sys.executable).parent
        self.path = path
        self.process: Worker = fleet.run([str(bin_directory / program), *rest], **settings)
        wait_until(lambda: self.visit() == OK, 30, f"{server} to answer")

    def visit(self) -> object:
        """Ask for a page."""
        return ask(self.path, "/on_loop")

    def engine(self, *, other_than: tuple[int, ...] = (), timeout: float = 20) -> int:
        """The process that executes jobs, once there is exactly one."""

        def look() -> list[int]:
            found = [pid for pid in self.process.engines() if pid not in other_than]
            return found if len(found) == 1 else []

        return wait_until(look, timeout, "one engine")[0]

    def streams(self, count: int) -> AbstractContextManager[object]:
        """Responses that go on until the end of the block: enough for each web process to have one."""
        with ExitStack() as stack:
            for _ in range(count):
                line = stack.enter_context(closing(socket.socket(socket.AF_UNIX)))
                line.settimeout(10)
                line.connect(str(self.path))
                line.sendall(b"GET /stream HTTP/1.1\r\nHost: web\r\n\r\n")
                assert line.recv(1)
            return stack.pop_all()


def parent_of(pid: int) -> int:
    """The process that started this one, and still lives."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_alive(pid: int) -> bool:
    """Whether it has not ended."""
    return command_of(pid) != b""

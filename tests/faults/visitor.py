"""Somebody who asks a web server for a page every 100 ms, and remembers what came of it."""

from __future__ import annotations

import http.client
import itertools
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.wait import wait_until

EVERY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 10
OK: Final = 200


class Visitor:
    """Asks, in a thread, from the first answer to the end of the block."""

    def __init__(self, path: Path) -> None:
        """The server listens at the socket `path`."""
        self.answers: list[tuple[object, float]] = []
        """The status (or the error), and the seconds it took."""
        self._path = path
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)

    def __enter__(self) -> Self:
        wait_until(lambda: ask(self._path, "/on_loop") == OK, 30, "the web server")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def assert_well_served(self, slowest_seconds: float) -> None:
        """Every answer was right, and none took long."""
        wrong = [answer for answer, _ in self.answers if answer != OK]
        assert wrong == []
        slowest = max(seconds for _, seconds in self.answers)
        print(f"{len(self.answers)} requests, the slowest took {slowest * 1000:.0f} ms")
        assert slowest < slowest_seconds

    def _main(self) -> None:
        for path in itertools.cycle(["/on_loop", "/in_thread"]):
            start = time.monotonic()
            answer = ask(self._path, path)
            took = time.monotonic() - start
            self.answers.append((answer, took))
            if self._is_over.wait(max(0.0, EVERY_SECONDS - took)):
                return


def ask(path: Path, page: str) -> object:
    """Make a request over a connection of its own; return the status, or what went wrong."""
    connection = http.client.HTTPConnection("web", timeout=PATIENCE_SECONDS)
    with socket.socket(socket.AF_UNIX) as connection.sock:
        connection.sock.settimeout(PATIENCE_SECONDS)
        try:
            connection.sock.connect(str(path))
            connection.request("GET", page, headers={"Connection": "close"})
            with connection.getresponse() as response:
                response.read()
                return response.status
        except (OSError, http.client.HTTPException) as error:
            return repr(error)

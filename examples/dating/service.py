"""One process of the demo: started in a session of its own, its output shown with its name in front."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MARKER = "DATING_DEMO"
"""An environment variable that all processes of one demo inherit, so that none can be overlooked."""
STOP_TIMEOUT_SECONDS = 25
"""More than Lodger's own grace for running jobs."""
_KEPT_LINES = 200


class Service:
    """A child process. Ctrl-C in the console reaches only the demo, which then stops its services in order."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, *, quiet: bool) -> None:
        self.name = name
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._quiet = quiet
        self._process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def ask_to_stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()

    def wait_stopped(self) -> bool:
        """Wait for the end; returns False if the process had to be killed."""
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        finally:
            self._reader.join(timeout=2)  # a process left behind could hold the pipe open for ever
        return True

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if not self._quiet:
                print(f"{self.name:>6} | {line.rstrip()}", flush=True)


def left_behind(marker: str) -> list[psutil.Process]:
    """Every living process that carries the marker, wherever it hangs in the process tree."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARKER) == marker:
                found.append(process)
    return found


def wait_nothing_left(marker: str, timeout_seconds: float = 5) -> list[str]:
    """Give the last ones a moment, then kill what is left; returns the command lines of those killed."""
    deadline = time.monotonic() + timeout_seconds
    while (rest := left_behind(marker)) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed = []
    for process in rest:
        with suppress(psutil.Error):
            killed.append(" ".join(process.cmdline()))
            process.kill()
    return killed

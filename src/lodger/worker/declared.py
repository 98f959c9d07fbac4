"""What an app declares, found out in a process of its own: ``python -m lodger.worker.declared <fd>``.

A schedule daemon runs no user code, and a web process that only serves imports no more than it needs. They have the app
imported here once, are told its schedules and jobs as plain values, and this process ends.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lodger.errors import LodgerError
from lodger.model.job import Registry
from lodger.model.schedule import ScheduleSpec
from lodger.processes.ends import exit_text, kill_group, kill_session
from lodger.processes.spawn import accept, die_with_parent, spawn
from lodger.worker.loading import import_path, load_app

logger: Final = logging.getLogger("lodger.worker")

MODULE: Final = "lodger.worker.declared"
IMPORT_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 60.0
LEAVE_SECONDS: Final = 5.0


class NotDeclared(LodgerError):
    """The app could not be imported."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the modules of an app declare, once all are imported."""

    schedules: tuple[ScheduleSpec, ...]
    jobs: Mapping[str, str]
    """The jobs that an embedded worker may run, each with its queue."""


class Inquiry:
    """Asks what an app declares once somebody wants to know, in a thread and again until there is an answer."""

    def __init__(self, app: str) -> None:
        """Ask nothing yet."""
        self._app = app
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Declared], None]] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._answer: Declared | None = None

    def ask(self, tell: Callable[[Declared], None] | None = None) -> Declared | None:
        """Return the answer if it is there; else ``tell`` is called with it once, in another thread."""
        with self._lock:
            if self._answer is None and tell is not None:
                self._listeners.append(tell)
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="lodger-inquiry", daemon=True)
                self._thread.start()
            return self._answer

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()

    def _main(self) -> None:
        while not self._over.is_set():
            try:
                answer = declared_by(self._app)
            except Exception as error:  # noqa: BLE001 - nor may any other trouble end the asking
                text = str(error) if isinstance(error, NotDeclared) else f"{type(error).__name__}: {error}"
                logger.error("%s (tried again in %.0f s)", text, AGAIN_SECONDS)  # noqa: TRY400 - not our traceback
                self._over.wait(AGAIN_SECONDS)
            else:
                with self._lock:
                    self._answer = answer
                for tell in self._listeners:
                    tell(answer)
                return


def declared_by(app: str) -> Declared:
    """Return what the app at ``app`` (package.module:name) declares. Raises NotDeclared."""
    process, channel = spawn(MODULE, {"app": app, "path": import_path()}, new_session=True)
    try:
        if channel.connection.poll(IMPORT_SECONDS):
            told = channel.recv()
        else:
            told = {"error": f"its import has not ended in {IMPORT_SECONDS:.0f} s"}
    except EOFError:
        told = {"error": f"its process ended while it was imported ({_ending_of(process)})"}
    finally:
        channel.close()
        if process.poll() is None:  # a thread that the app has started may keep it alive
            kill_group(process.pid)
        kill_session(process.pid)
        process.wait()
    if "error" in told:
        raise NotDeclared(f"{app} can't be imported: {told['error']}")
    return Declared(tuple(map(ScheduleSpec.from_json, told["schedules"])), told["jobs"])


def _ending_of(process: subprocess.Popen[bytes]) -> str:
    try:
        return exit_text(process.wait(LEAVE_SECONDS))
    except subprocess.TimeoutExpired:
        return "it has closed its channel, and goes on"


def main() -> None:
    """Import, tell, end."""
    channel, first = accept(sys.argv)
    die_with_parent()
    if channel.connection.poll():  # no more is said to us: this is the channel's end, the parent died before that
        return
    try:
        registry: Registry = load_app(first["app"], first["path"]).registry
        told: dict[str, Any] = {
            "schedules": [spec.to_json() for spec in registry.schedules.values()],
            "jobs": {name: spec.queue for name, spec in registry.embeddable().jobs.items()},
        }
    except Exception as error:  # noqa: BLE001 - told to who asks, which says it to people
        told = {"error": f"{type(error).__name__}: {error}"}
    channel.send(told)


if __name__ == "__main__":
    main()

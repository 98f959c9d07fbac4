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
from lodger.processes.manners import be_a_guest
from lodger.processes.spawn import accept, die_with_parent, spawn
from lodger.worker.loading import IMPORT_SECONDS, import_path, load_app, told

logger: Final = logging.getLogger("lodger.worker")

MODULE: Final = "lodger.worker.declared"
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

    def __init__(
        self,
        app: str,
        tell: Callable[[Declared], None] = lambda _: None,
        *,
        meanwhile: str = "its schedules are not known here",
        nice: int = 0,
    ) -> None:
        """Ask nothing yet.

        ``tell`` is called once, with the answer; ``meanwhile`` says to people what follows from having none. The other
        process has the niceness ``nice``, and leaves first when memory runs out, if that is over 0.
        """
        self._app = app
        self._tell = tell
        self._meanwhile = meanwhile
        self._nice = nice
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._answer: Declared | None = None

    def ask(self) -> Declared | None:
        """Return the answer; None while there is none."""
        if self._thread is None:
            thread = threading.Thread(target=self._main, name="lodger-inquiry", daemon=True)
            thread.start()  # it may find no thread to be had: then the next call tries again
            self._thread = thread
        return self._answer

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()

    def _main(self) -> None:
        while not self._over.is_set():
            try:
                answer = declared_by(self._app, self._nice)
                self._tell(answer)
            except Exception as error:  # noqa: BLE001 - nor may any other trouble end the asking
                self._complain(error)
                self._over.wait(AGAIN_SECONDS)
            else:
                self._answer = answer
                return

    def _complain(self, error: Exception) -> None:
        if self._over.is_set():  # it ends with us
            return
        text = str(error) if isinstance(error, NotDeclared) else f"{type(error).__name__}: {error}"
        logger.error("%s (tried again in %.0f s; until then %s)", text, AGAIN_SECONDS, self._meanwhile)


def declared_by(app: str, nice: int = 0) -> Declared:
    """Return what the app at ``app`` (package.module:name) declares. Raises NotDeclared."""
    process, channel = spawn(MODULE, {"app": app, "path": import_path(), "nice": nice}, new_session=True)
    try:
        if channel.connection.poll(IMPORT_SECONDS):
            answer = channel.recv()
        else:
            answer = {"error": f"its import has not ended in {IMPORT_SECONDS:.0f} s"}
    except EOFError:
        answer = {"error": f"its process ended while it was imported ({_ending_of(process)})"}
    finally:
        channel.close()
        if process.poll() is None:  # a thread that the app has started may keep it alive
            kill_group(process.pid)
        kill_session(process.pid)
        process.wait()
    if "error" in answer:
        raise NotDeclared(f"the app at {app} can't be imported: {answer['error']}")
    return Declared(tuple(map(ScheduleSpec.from_json, answer["schedules"])), answer["jobs"])


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
    if first["nice"]:
        be_a_guest(first["nice"])
    try:
        registry: Registry = load_app(first["app"], first["path"]).registry
        answer: dict[str, Any] = {
            "schedules": [spec.to_json() for spec in registry.schedules.values()],
            "jobs": {name: spec.queue for name, spec in registry.embeddable().jobs.items()},
        }
    except Exception as error:  # noqa: BLE001 - told to who asks, which says it to people
        answer = {"error": told(error)}
    channel.send(answer)


if __name__ == "__main__":
    main()

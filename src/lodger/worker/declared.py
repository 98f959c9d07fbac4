"""What an app declares, found out in a process of its own: ``python -m lodger.worker.declared <fd>``.

The schedule daemon runs no user code. It has the app imported here once, is told the schedules as plain values, and
this process ends.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

from lodger.errors import LodgerError
from lodger.model.schedule import ScheduleSpec
from lodger.processes.ends import exit_text, kill_group, kill_session
from lodger.processes.spawn import accept, die_with_parent, spawn
from lodger.worker.loading import load_app

MODULE: Final = "lodger.worker.declared"
IMPORT_SECONDS: Final = 60.0
LEAVE_SECONDS: Final = 5.0


class NotDeclared(LodgerError):
    """The app could not be imported."""


def declared_by(app: str, path: list[str]) -> list[ScheduleSpec]:
    """Return the schedules of the app at ``app`` (package.module:name). Raises NotDeclared."""
    process, channel = spawn(MODULE, {"app": app, "path": path}, new_session=True)
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
    return [ScheduleSpec.from_json(values) for values in told["schedules"]]


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
        app: Any = load_app(first["app"], first["path"])
        told: dict[str, Any] = {"schedules": [spec.to_json() for spec in app.registry.schedules.values()]}
    except Exception as error:  # noqa: BLE001 - told to the daemon, which says it to people
        told = {"error": f"{type(error).__name__}: {error}"}
    channel.send(told)


if __name__ == "__main__":
    main()

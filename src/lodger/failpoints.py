"""Named places where tests make a process die, stop, sleep or raise.

``LODGER_FAILPOINTS="claim.after_commit=kill;record.before_commit=raise@3"``: at the named place, from the
n-th passage on (``@n``, default 1), once. Actions: kill (SIGKILL to itself), stop (SIGSTOP), raise, exit,
sleep:<seconds>. With the variable unset a failpoint costs one dictionary look-up in an empty dictionary.
Every name is listed in FAILPOINTS, so that the tests visit each one on each engine. A process that acts says so on
standard error first, so that it is known what it died of.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Final

FAILPOINTS: Final = (
    "enqueue.before_commit",
    "enqueue.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "attempt.before_start",
    "record.before_commit",
    "record.after_commit",
    "rescue.before_commit",
    "rescue.after_commit",
    "promote.before_commit",
    "promote.after_commit",
    "prune.before_commit",
    "release.before_commit",
    "save.before_commit",
    "complete.before_update",
    "complete.before_commit",
    "complete.after_commit",
    "fire.before_commit",
    "fire.after_commit",
    "migrate.before_version",
)


class FailpointError(RuntimeError):
    """Raised by the action ``raise``."""


def _parse(text: str) -> dict[str, list[object]]:
    armed: dict[str, list[object]] = {}
    for part in filter(None, text.split(";")):
        name, _, action = part.partition("=")
        action, _, nth = action.partition("@")
        if name not in FAILPOINTS:
            raise ValueError(f"LODGER_FAILPOINTS: {name!r} is not one of {', '.join(FAILPOINTS)}")
        armed[name] = [action, int(nth or 1)]
    return armed


_armed: Final = _parse(os.environ.get("LODGER_FAILPOINTS", ""))


def failpoint(name: str) -> None:
    """Do what the environment asks for at this place; usually nothing."""
    if name in _armed:
        _pass(name)


def _pass(name: str) -> None:
    action, left = _armed[name]
    assert isinstance(left, int)
    if left > 1:
        _armed[name][1] = left - 1
        return
    del _armed[name]
    _act(name, str(action))


def _act(name: str, action: str) -> None:
    word, _, value = action.partition(":")
    with suppress(OSError):  # a job may have closed it
        os.write(2, f"failpoint {name}: {action}\n".encode())
    match word:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "exit":
            os._exit(int(value or 1))
        case "sleep":
            time.sleep(float(value or 1))
        case "raise":
            raise FailpointError(f"failpoint {name}")
        case _:
            raise ValueError(f"LODGER_FAILPOINTS: action {action!r} is not kill, stop, exit, sleep:<seconds> or raise")

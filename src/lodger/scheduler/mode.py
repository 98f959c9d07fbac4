"""EMBEDDED_SCHEDULE_DAEMON: whether the web service carries a schedule daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from lodger.errors import ConfigurationError

ScheduleMode: TypeAlias = Literal["auto", "on", "off"]
"""auto: wherever a worker runs."""

VARIABLE: Final = "EMBEDDED_SCHEDULE_DAEMON"
MODES: Final[dict[str, ScheduleMode]] = {"auto": "auto", "true": "on", "1": "on", "false": "off", "0": "off"}
ALLOWED: Final = "auto (wherever a worker runs), true, 1, false, 0"


def read_schedule_mode(environ: Mapping[str, str]) -> ScheduleMode:
    """Return what the environment says; unset is auto. Unknown values are refused, never guessed."""
    mode = MODES.get(environ.get(VARIABLE, "auto").strip().lower())
    if mode is None:
        raise ConfigurationError(VARIABLE, environ[VARIABLE], ALLOWED)
    return mode


def carries_daemon(mode: ScheduleMode, *, has_worker: bool) -> bool:
    """Whether a process that carries a worker, or doesn't, carries a schedule daemon too."""
    return has_worker if mode == "auto" else mode == "on"

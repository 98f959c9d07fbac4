"""EMBEDDED_JOB_WORKER: whether the web service carries the job worker, and how."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from lodger.errors import ConfigurationError
from lodger.processes.spawn import INSIDE_WORKER
from lodger.settings import Settings

Mode: TypeAlias = Literal["auto", "child", "thread", "off"]

VARIABLE: Final = "EMBEDDED_JOB_WORKER"
OTHER_SPELLING: Final = "JOB_WORKER_ENABLED"
MODES: Final[dict[str, Mode]] = {
    "auto": "auto",
    "true": "child",
    "1": "child",
    "child": "child",
    "thread": "thread",
    "false": "off",
    "0": "off",
}
TEST_MODULES: Final = ("pytest", "starlette.testclient")
ALLOWED: Final = "auto, true, 1, child (in a process of its own), thread, false, 0"


def read_mode(environ: Mapping[str, str]) -> Mode:
    """Return what the environment says; unset is auto. Unknown values are refused, never guessed."""
    text = environ.get(VARIABLE, "auto").strip().lower()
    mode = MODES.get(text)
    if mode is None:
        raise ConfigurationError(VARIABLE, environ[VARIABLE], ALLOWED)
    other = environ.get(OTHER_SPELLING)
    if other is None:
        return mode
    enabled = {"true": True, "1": True, "false": False, "0": False}.get(other.strip().lower())
    if enabled is None:
        raise ConfigurationError(OTHER_SPELLING, other, "true, false")
    if VARIABLE in environ and enabled != (mode != "off"):
        raise ConfigurationError(
            OTHER_SPELLING, other, f"what {VARIABLE}={environ[VARIABLE]} says too, or only one of the two"
        )
    return mode if enabled else "off"


def may_embed(settings: Settings) -> bool:
    """Whether this process may carry a worker at all: not inside one, and not in a test that has not asked for it.

    An app is imported in its own workers, too; and whoever tests it does not want its jobs run behind the test's back.
    """
    return INSIDE_WORKER not in os.environ and not is_test(settings)


def refuse_unfit_server() -> None:
    """Raise under a server whose processes no worker can live in.

    uWSGI forks and signals in C, past the hooks of Python's by which we would hear of it.
    """
    if "uwsgi" in sys.modules:
        raise ConfigurationError(
            VARIABLE, os.environ.get(VARIABLE, "auto"), "false under uWSGI; run the worker beside it: lodger worker"
        )


def is_test(settings: Settings) -> bool:
    """Whether this process tests an app, and has not asked for a worker."""
    return not settings.embed_in_tests and any(name in sys.modules for name in TEST_MODULES)

"""EMBEDDED_JOB_WORKER: whether the web service carries the job worker, and how."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Final, Literal, TypeAlias

from lodger.errors import ConfigurationError
from lodger.placement import stack
from lodger.processes.spawn import INSIDE_WORKER
from lodger.settings import Settings

Mode: TypeAlias = Literal["auto", "child", "thread", "off"]

logger: Final = logging.getLogger("lodger.placement")

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
RUNNERS: Final = {
    "unittest.main": "unittest",
    "unittest.loader": "unittest",
    "unittest.suite": "unittest",
    "starlette.testclient": "Starlette's TestClient",
}
PYTEST_VARIABLES: Final = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_VERSION")
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
    """Whether this process tests an app, and has not asked for a worker.

    Where that is not certain it is said, as it would be wrong in a web service: there, no run would be served.
    """
    if settings.embed_in_tests or stack.runs("_pytest"):
        return not settings.embed_in_tests
    guess = _guess()
    if guess:
        _say(guess)
    return bool(guess)


def _guess() -> str:
    """Return what makes this process look like a test without pytest; empty: nothing.

    What is only imported tells nothing, as libraries import all of them; nor do pytest's variables alone, as programs
    that a test starts inherit them.
    """
    for module, runner in RUNNERS.items():
        if stack.runs(module):
            return f"{runner} runs in it"
    variable = next((name for name in PYTEST_VARIABLES if name in os.environ), "")
    return f"pytest is imported and {variable} is set" if variable and "_pytest" in sys.modules else ""


@cache
def _say(guess: str) -> None:
    logger.warning(
        "this process is taken for a test of the app (%s): it starts no embedded worker, and does not watch whether "
        "any serves what it enqueues. If it is none, or is to have them, set LODGER_EMBED_IN_TESTS=1",
        guess,
    )

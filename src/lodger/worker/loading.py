"""Import the app in a worker process and find its Lodger object."""

from __future__ import annotations

import importlib
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from lodger.errors import ConfigurationError, LodgerError

IMPORT_SECONDS: Final = 600.0
"""How long the import of an app may take: minutes, on a small share of a CPU. Beyond, it waits for what never comes."""
LIBRARIES: Final = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
OURS: Final = Path(__file__).parents[1]
WHERE = "package.module:name of a Lodger object, importable from the working directory"


def import_path() -> list[str]:
    """Return where this process imports from, as another process needs it."""
    return [entry or str(Path.cwd()) for entry in sys.path]


def told(error: Exception) -> str:
    """Return what went wrong while an app was loaded, with the place in its own code."""
    if isinstance(error, LodgerError):
        return str(error)
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not _is_machinery(one.filename)]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _is_machinery(filename: str) -> bool:
    """Whether it is a file of the interpreter, of an installed library's, or of Lodger's: the app's line called it."""
    path = Path(filename)
    return filename.startswith("<") or any(path.is_relative_to(place) for place in (*LIBRARIES, OURS))


def load_app(place: str, path: Sequence[str] = ()) -> Any:
    """Return the Lodger object at ``place`` after importing everything that declares its jobs.

    ``path`` is the parent's sys.path, so that both import the same code.
    """
    if not place:
        raise ConfigurationError("LODGER_APP", place, WHERE + " (or Lodger(app=...))")
    for entry in path:
        if entry not in sys.path:
            sys.path.append(entry)
    module_name, _, name = place.partition(":")
    if module_name == "__main__":
        raise ConfigurationError("LODGER_APP", place, "a module that can be imported: move the jobs out of the script")
    if not module_name:
        raise ConfigurationError("LODGER_APP", place, WHERE)
    module = _import(module_name, place)
    name = name or "lodger"
    app: Any = getattr(module, name, None)
    if not hasattr(app, "registry"):
        found = f"is a {type(app).__name__}" if hasattr(module, name) else "does not exist"
        raise ConfigurationError("LODGER_APP", place, f"{WHERE}; {module_name}.{name} {found}")
    app.import_jobs()
    return app


def _import(module_name: str, place: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the app's own trouble
        there = f"there is no {error.name} in {Path.cwd()}, on PYTHONPATH or installed"
        raise ConfigurationError("LODGER_APP", place, f"{WHERE}; {there}") from error

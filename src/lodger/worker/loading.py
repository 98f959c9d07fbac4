"""Import the app in a worker process and find its Lodger object."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from lodger.errors import ConfigurationError

WHERE = "package.module:name of a Lodger object, importable from the working directory"


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
    module = importlib.import_module(module_name)
    app: Any = getattr(module, name or "lodger", None)
    if not hasattr(app, "registry"):
        raise ConfigurationError("LODGER_APP", place, WHERE)
    app.import_jobs()
    return app

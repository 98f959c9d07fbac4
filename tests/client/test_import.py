"""`import lodger` is paid by every web process and every shell command: it loads what it needs, no more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from lodger import Job, Run

HEAVY = {"asyncio", "sqlalchemy", "pydantic", "psycopg", "pymysql", "sqlite3", "typing_extensions", "subprocess"}


def test_importing_and_declaring_loads_nothing_heavy() -> None:
    """Red when app.py imports asyncio at the top: half of the import time."""
    code = (
        "import sys, json, lodger\n"
        "app = lodger.Lodger()\n"
        "@app.job()\n"
        "async def f(run: lodger.Run[None], a: str, b: int | None = None) -> int: ...\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code])))
    assert loaded & HEAVY == set()


def test_annotations_with_jobs_and_runs_can_be_evaluated() -> None:
    """Type checkers know the default of Job's third parameter; a running program has to take two as well."""
    assert Job[[str], int].__args__ == ((str,), int, Callable[..., Any])
    assert Job[..., int].__origin__ is Job
    assert Job[[str], int, Callable[[str], int]].__args__[2] == Callable[[str], int]
    assert Run[int].__origin__ is Run

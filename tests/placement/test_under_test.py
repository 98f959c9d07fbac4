"""No worker starts in a test of the app, whoever runs it; what a web service imports makes it no test."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

import pytest

from lodger import Lodger
from lodger.placement import mode, stack
from lodger.settings import Settings

SHOP: Final = """
    from contextlib import asynccontextmanager
    from fastapi import FastAPI
    from lodger import Lodger

    lodger = Lodger(app="shop:lodger")
    app = FastAPI(lifespan=lodger.lifespan())

    @lodger.job
    def job() -> None: ...

    @app.get("/")
    async def enqueue() -> None:
        await job.aenqueue()

    lodger.start_embedded()
"""
CHECK: Final = """
    import threading
    from shop import app, lodger
    from starlette.testclient import TestClient

    def check() -> None:
        with TestClient(app) as client:
            assert client.get("/").status_code == 200
            threading.Event().wait(1)
            names = {thread.name for thread in threading.enumerate()}
            assert not names & {"lodger-embedded", "lodger-orphans", "lodger-serving"}, names
"""
UNDER_PYTEST: Final = (
    CHECK
    + """
    def test() -> None:
        check()
"""
)
UNDER_UNITTEST: Final = (
    CHECK
    + """
    import unittest

    class Test(unittest.TestCase):
        def test(self) -> None:
            check()
"""
)
ALONE: Final = (
    CHECK.replace("from shop", "from shop_of_lifespan")
    + """
    check()
"""
)
WARNING: Final = "this process is taken for a test of the app"


def execute(directory: Path, *command: str) -> str:
    """Run tests in this directory, as a developer does; return what was said."""
    (directory / "shop.py").write_text(textwrap.dedent(SHOP))
    (directory / "shop_of_lifespan.py").write_text(textwrap.dedent(SHOP).replace("lodger.start_embedded()", ""))
    environment = {name: value for name, value in os.environ.items() if name not in mode.PYTEST_VARIABLES}
    url = f"sqlite:///{directory}/shop.db"
    Lodger(url=url).migrate()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=directory,
        env={**environment, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("options", ["", "-n 1"])
def test_no_worker_starts_under_pytest(options: str, tmp_path: Path) -> None:
    """Neither where the tests import the app, nor in its lifespan. It needs no word.

    Fails when only the variables are asked: none is set yet, or is set by an old pytest, where tests are collected.
    """
    (tmp_path / "test_shop.py").write_text(textwrap.dedent(UNDER_PYTEST))
    said = execute(tmp_path, "pytest", "-p", "no:cacheprovider", "-o", "log_cli=true", *options.split())
    assert "1 passed" in said
    assert WARNING not in said


@pytest.mark.parametrize(
    ("tests", "command", "runner"),
    [(UNDER_UNITTEST, "unittest", "unittest"), (ALONE, "test_shop", "Starlette's TestClient")],
)
def test_no_worker_starts_under_others(tests: str, command: str, runner: str, tmp_path: Path) -> None:
    """It is said why, as nobody knows for sure. Fails when only pytest makes a process a test."""
    (tmp_path / "test_shop.py").write_text(textwrap.dedent(tests))
    said = execute(tmp_path, command)
    assert said.count(f"{WARNING} ({runner} runs in it)") == 1
    assert "set LODGER_EMBED_IN_TESTS=1" in said


@pytest.mark.parametrize("settings", [Settings(), Settings(embed_in_tests=True)])
def test_a_program_of_a_test_is_one_if_it_imports_pytest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its stack shows no pytest, as another process is pytest. Fails when the variables are not asked for."""
    monkeypatch.setattr(stack, "runs", lambda *_: False)
    mode._say.cache_clear()
    assert mode.is_test(settings) is not settings.embed_in_tests
    assert ("pytest is imported and PYTEST_CURRENT_TEST is set" in caplog.text) is not settings.embed_in_tests
    for name in mode.PYTEST_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not mode.is_test(settings)

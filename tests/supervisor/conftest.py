"""What tests of the supervisor have: a bench with a database, and a directory for sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor.bench import Bench


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    runtime = Path(tempfile.mkdtemp(prefix="lodger-"))  # pytest's own paths are too long for a socket
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(runtime))
    made = Bench(database_url)
    yield made
    made.close()
    shutil.rmtree(runtime, ignore_errors=True)

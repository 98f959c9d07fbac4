"""What each fault test has: a migrated database, an enqueuer, a fleet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.desk import Desk
from tests.faults.fleet import Fleet


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where wake sockets go; pytest's own directories have paths too long for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="lodger-"))
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(directory))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def fleet(database_url: str, tmp_path: Path, runtime_dir: Path) -> Iterator[Fleet]:
    """No workers yet."""
    with Fleet(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def desk(fleet: Fleet) -> Iterator[Desk]:
    """The enqueuing side: tables are there."""
    with Desk(fleet) as opened:
        yield opened

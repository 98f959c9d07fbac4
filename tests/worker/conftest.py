"""What the tests of an engine have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.worker.bench import Bench


@pytest.fixture
def bench(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Bench]:
    monkeypatch.setenv("LODGER_RUNTIME_DIR", str(tmp_path))
    made = Bench(database_url)
    yield made
    made.lodger.close()

"""SQLite alone."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """The one engine of this directory."""
    return str(request.param)

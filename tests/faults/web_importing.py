"""The same web app, whose code (or a library of it) imports what tests are written with."""

from __future__ import annotations

import fastapi.testclient
import pytest
import starlette.testclient

from tests.faults.web import app

__all__ = ["app", "fastapi", "pytest", "starlette"]

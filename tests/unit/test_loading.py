"""A place of the app that is wrong, and a web service that has no database: what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lodger import Lodger
from lodger.errors import ConfigurationError, DatabaseUrlMissing
from lodger.worker.loading import load_app


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere:lodger", f"there is no nowhere in {Path.cwd()}, on PYTHONPATH or installed"),
        ("tests.nowhere:lodger", "there is no tests.nowhere in"),
        ("tests.faults.web_wsgi:lodgr", "tests.faults.web_wsgi.lodgr does not exist"),
        ("tests.faults.web_wsgi:app", "tests.faults.web_wsgi.app is a Flask"),
        (":lodger", "package.module:name"),
        ("", "package.module:name"),
    ],
)
def test_a_wrong_place_is_told_what_is_wrong_with_it(place: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_app(place)
    assert str(caught.value).startswith(f"LODGER_APP: {place!r} is not allowed")
    assert told in str(caught.value)


@pytest.mark.parametrize("mode", ["false", "auto"])
def test_a_web_service_without_a_database_does_not_start(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it carries no worker: else the first request that enqueues would be the one to find out."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", mode)
    monkeypatch.setenv("LODGER_EMBED_IN_TESTS", "1")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(DatabaseUrlMissing, match="DATABASE_URL is not set"), Lodger(app="x:y").embedded():
        pass

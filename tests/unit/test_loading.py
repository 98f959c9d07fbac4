"""A place of the app that is wrong, a database that is not named or has no tables: what comes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lodger import Lodger
from lodger.errors import ConfigurationError, DatabaseUrlMissing
from lodger.worker.loading import load_app, told


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


def test_a_module_of_imports_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a setting that is wrong: no other engine will find it. Fails when it is an import like any other."""
    place(tmp_path, monkeypatch, shop_one='lodger = Lodger(app="shop_one:lodger", imports=["reprots"])')
    with pytest.raises(ConfigurationError, match=r"imports: 'reprots' is not allowed.*there is no reprots"):
        load_app("shop_one:lodger")


def test_an_import_that_fails_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own line, not that of the library it calls. Fails when the last line of all is told."""
    place(
        tmp_path,
        monkeypatch,
        shop_two='lodger = Lodger(app="shop_two:lodger", imports=["shop_more"])',
        shop_more="import json\n\njson.loads('{')",
    )
    with pytest.raises(ValueError, match="Expecting") as caught:
        load_app("shop_two:lodger")
    assert told(caught.value).endswith(f"({tmp_path}/shop_more.py, line 4)")


def place(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Make modules that can be imported."""
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(f"from lodger import Lodger\n{code}\n")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("mode", ["false", "auto"])
def test_a_web_service_without_a_database_does_not_start(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it carries no worker: else the first request that enqueues would be the one to find out."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", mode)
    monkeypatch.setenv("LODGER_EMBED_IN_TESTS", "1")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(DatabaseUrlMissing, match="DATABASE_URL is not set"), Lodger(app="x:y").embedded():
        pass


def test_a_web_service_without_a_worker_makes_the_tables_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first enqueue must not fail because the worker comes later. Fails when only a worker makes them."""
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", "false")
    monkeypatch.setenv("LODGER_EMBED_IN_TESTS", "1")
    app = Lodger(url=f"sqlite:///{tmp_path}/app.db", app="x:y")
    with app.embedded():
        assert app.by_name("job").enqueue().status() == "QUEUED"


def test_a_web_service_goes_on_though_no_tables_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EMBEDDED_JOB_WORKER", "false")
    monkeypatch.setenv("LODGER_EMBED_IN_TESTS", "1")
    (tmp_path / "app.db").write_text("this is no database, and long enough for SQLite to see that it is none" * 20)
    with Lodger(url=f"sqlite:///{tmp_path}/app.db", app="x:y").embedded():
        assert "no tables could be made: file is not a database" in caplog.text


def test_a_separate_worker_that_can_never_work_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason: a terminal, or a platform's list of services, shows it. Fails when it tries on."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/app.db")
    command = [Path(sys.executable).with_name("lodger"), "worker", "--app", "nowhere:lodger"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("lodger: LODGER_APP: 'nowhere:lodger' is not allowed")

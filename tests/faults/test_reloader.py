"""Flask's reloader: one process waits, another serves and is started again with the new code. The latter carries."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from lodger.client.handle import RunHandle
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet
from tests.faults.site import Server, Site, parent_of
from tests.support.wait import wait_until

BIN: Final = Path(sys.executable).parent
APP: Final = """
    import os
    import time
    from flask import Flask
    from lodger import Lodger

    CODE = "old"
    lodger = Lodger(app="shop:lodger")
    app = Flask(__name__)

    @lodger.job
    def which() -> str:
        return CODE

    @app.get("/on_loop")
    def on_loop() -> str:
        return "here"

    lodger.start_embedded()
    time.sleep(float(os.environ.get("SHOP_SECONDS", 0)))
    if __name__ == "__main__":
        app.run(host=os.environ["SHOP_HOST"], debug=True)
"""
COMMANDS: Final = {
    "flask-run": "flask --app {app} run --debug --host unix://{socket}",
    "app-run": "python {app}",
}

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime_dir: Path) -> Iterator[Path]:
    path = tmp_path / "code" / "shop.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(APP))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path.parent), *sys.path]))
    monkeypatch.setenv("SHOP_HOST", f"unix://{runtime_dir / 'web'}")
    return path


def run(desk: Desk) -> RunHandle[object]:
    handle = desk.lodger.by_name("which").enqueue()
    desk.wait_status(handle, "SUCCEEDED", 30)
    return handle


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_process_that_serves_carries(command: str, shop: Path, fleet: Fleet, desk: Desk, runtime_dir: Path) -> None:
    """Red when the process that waits carries: after the change its engine is still there, with the old code."""
    site = Site(fleet, Server(name="flask", command=command.replace("{app}", str(shop))), runtime_dir / "web")
    assert run(desk).refresh().result == "old"
    engine = site.engine()
    serving = parent_of(engine)
    assert serving != site.process.pid
    assert parent_of(serving) == site.process.pid
    shop.write_text(shop.read_text().replace('CODE = "old"', 'CODE = "new"'))
    newer = site.engine(other_than=(engine,), timeout=40)
    assert parent_of(newer) not in {serving, site.process.pid}
    assert run(desk).refresh().result == "new"


def test_an_app_that_loads_slowly(
    shop: Path, fleet: Fleet, desk: Desk, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that will wait has started its worker by then, and gives it up. Red when it does not look again."""
    monkeypatch.setenv("SHOP_SECONDS", "2")
    site = Site(fleet, Server(name="flask", command=f"python {shop}"), runtime_dir / "web")
    assert parent_of(site.engine()) == site.process.pid
    wait_until(lambda: [parent_of(one) for one in site.process.engines()] != [site.process.pid], 30, "it to give up")
    assert parent_of(parent_of(site.engine())) == site.process.pid
    assert run(desk).refresh().result == "old"

"""What the guide shows works: its code runs against a real worker, its commands exist, its SQL answers.

Each heading's code is one test. It fails when the code raises; the guide's own asserts say what comes of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from lodger.store.url import parse
from tests.docs.blocks import LANGUAGES, Block, files, read_blocks, scripts
from tests.docs.commands import command_lines, complaint
from tests.docs.conftest import GUIDE, ROOT, prepare
from tests.docs.project import Project
from tests.docs.web import address_in, ask, ended, get_text, text_of
from tests.support.wait import wait_until

SCRIPTS = scripts(read_blocks(GUIDE))
ON_SQLITE = sorted(name for name in SCRIPTS if name.endswith("-sqlite"))
ON_SERVERS = sorted(SCRIPTS.keys() - set(ON_SQLITE))
STRICT = ["--strict", "--explicit-package-bases"]
PRELUDES = {
    "Django-sqlite": """
import os
from django.conf import settings
from sqlalchemy import make_url
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": make_url(os.environ["DATABASE_URL"]).database,
    "OPTIONS": {"transaction_mode": "IMMEDIATE"},
}})
import django
django.setup()
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # the runner's loop is none of Django's business
"""
}


@pytest.mark.parametrize("name", ON_SQLITE)
def test_code_on_sqlite_beside_a_worker(name: str, shop: Project) -> None:
    shop.execute(GUIDE, SCRIPTS[name], PRELUDES.get(name, ""))


@pytest.mark.parametrize(("engine", "name"), [(name.rpartition("-")[2], name) for name in ON_SERVERS])
def test_code_on_a_server(name: str, empty_shop: Project) -> None:
    empty_shop.run("lodger", "migrate")
    empty_shop.execute(GUIDE, SCRIPTS[name])


def test_sql(guide: list[Block], engine: str, empty_shop: Project) -> None:
    """On a database with a run in it, so that it is not the emptiness that keeps a mistake from being seen."""
    empty_shop.run("lodger", "migrate")
    empty_shop.run("python", "-c", "from shop.jobs import welcome; welcome.enqueue(1)")
    database = create_engine(parse(empty_shop.url).url)
    asked = [block for block in guide if block.language == "sql" and block.engine in {engine, "sqlite"}]
    answers: list[Any] = []
    with database.connect() as connection:
        for block in asked:
            if block.engine == engine or "unixepoch" not in block.text:  # the first one is for all engines
                answers += [connection.execute(text(one)).all() for one in block.text.split(";")]
    database.dispose()
    assert answers == [[("mail", 1)], [(0, None)], []]


def test_types(shop: Project) -> None:
    """The guide's modules pass mypy as strictly as Lodger's own."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *STRICT, "--cache-dir", str(ROOT / ".mypy_cache" / "guide"), "shop"],
        cwd=shop.folder,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_embedded_worker_of_a_web_service(engine: str, empty_shop: Project) -> None:
    """The first section as it stands, on each engine: uvicorn, a request, the child runs the job."""
    prepare(empty_shop)
    with empty_shop.running("uvicorn", "shop.web:app", "--port", "0", EMBEDDED_JOB_WORKER="child") as log:
        address = wait_until(lambda: address_in(log), 60, "uvicorn's address")
        made = ask(f"{address}/customers/7", "POST")
        told = wait_until(lambda: ended(f"{address}/runs/{made['run']}"), 60, "the run's end")
    assert told == {"status": "SUCCEEDED", "result": "welcomed 7"}


SERVE = """
from wsgiref.simple_server import make_server
from shop.wsgi import app
server = make_server("127.0.0.1", 0, app)
print(f"running on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_embedded_worker_of_a_wsgi_app(engine: str, empty_shop: Project) -> None:
    prepare(empty_shop)
    with empty_shop.running("python", "-c", SERVE) as log:
        address = wait_until(lambda: address_in(log), 60, "the server's address")
        run_id = get_text(address)
        look = f"from shop.jobs import lodger; print(lodger.handle({run_id!r}).result(timeout=60))"
        assert empty_shop.run("python", "-c", look) == "welcomed 1\n"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_tests_that_it_proposes(engine: str, empty_shop: Project) -> None:
    empty_shop.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", PYTHONPATH=".")


COMMANDS = command_lines(read_blocks(GUIDE))


@pytest.mark.parametrize("line", COMMANDS)
def test_commands(line: str, guide: list[Block]) -> None:
    assert complaint(line, files(guide)) == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("lodger wander", "SystemExit"),
        ("lodger worker --quickly", "SystemExit"),
        ("lodger worker --app shop.jobs:nothing", "has no nothing"),
        ("LODGER_GRACE=3 lodger worker", "LODGER_GRACE is not in"),
        ("LODGER_GRACE_SECONDS=soon lodger worker", "a number"),
        ("EMBEDDED_JOB_WORKER=maybe uvicorn shop.web:app", "'maybe' is not allowed"),
        ("DATABASE_URL=oracle://db/x lodger migrate", "oracle"),
        ("uvicorn shop.web:site", "has no site"),
        ("uvicorn shop.web:app --prot 80", "--prot"),
        ("pip install 'lodger[oracle]'", "oracle"),
        ("pip install celery", "celery is not among"),
        ("make coffee", "coffee"),
        ("celery worker", "no such program"),
        ("A=1", "no such program"),
    ],
)
def test_a_wrong_command_would_be_found(line: str, why: str, guide: list[Block]) -> None:
    assert why in complaint(line, files(guide))


def test_each_block_is_of_a_kind_that_is_tested(guide: list[Block]) -> None:
    assert {block.language for block in guide} <= LANGUAGES


def test_blocks_are_fenced(guide: list[Block]) -> None:
    """An indented block would not be seen by these tests."""
    assert not re.search(r"^    \S", text_of(GUIDE, guide), re.MULTILINE)

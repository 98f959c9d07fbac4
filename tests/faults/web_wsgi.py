"""A WSGI app that carries the worker: `gunicorn tests.faults.web_wsgi:app`. Nobody calls it back: it says so itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Flask

from tests.faults.app import lodger

app = Flask(__name__)


@app.get("/on_loop")
def on_loop() -> str:
    return "here"


@app.get("/stream")
def stream() -> Iterator[str]:
    """Go on until the visitor leaves."""
    while True:
        yield "here\n"
        time.sleep(0.1)


lodger.start_embedded()

"""The same WSGI app, whose web processes fork helpers when they are told to: a pool that stays, and a program."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.faults.web_wsgi import app  # noqa: F401 - what the server serves

order = Path(os.environ["LODGER_RUNTIME_DIR"]) / "help"
pool = ProcessPoolExecutor(1, mp_context=get_context("fork"))


def help_me() -> None:
    while not order.exists():
        time.sleep(0.05)
    pool.submit(abs, -1).result()
    subprocess.run(["true"], check=True, preexec_fn=int)  # it runs the hooks of a fork, as a pool does
    print("has its helpers", flush=True)


threading.Thread(target=help_me, daemon=True).start()

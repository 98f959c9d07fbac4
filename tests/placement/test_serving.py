"""A process that forks: a master of web processes, or a web process with helpers."""

from __future__ import annotations

import subprocess
import sys
import textwrap

APP = """
    import os, sys, threading, time
    from lodger.placement import serving
    from tests.support.wait import wait_until

    serving.SETTLE_SECONDS, serving.YOUNG_SECONDS, serving.MASTER_SECONDS = 0.05, 30, 0.2
    read, write = os.pipe()

    class Worker:
        def start(self): os.write(write, f"start {os.getpid()}\\n".encode())
        def stop(self, *, drain=False): os.write(write, f"stop {os.getpid()}\\n".encode())
        def has_siblings(self): return False

    def news(count):
        found = []
        while len(found) < count:
            found += os.read(read, 4096).decode().splitlines()
        return found

    served = serving.Serving(Worker)
    served.begin()
    print(*news(1), sep="\\n")
    for helper in range(3):
        pid = os.fork()
        if pid == 0:
            time.sleep(0.02)
            os._exit(0)
        os.waitpid(pid, 0)
        if helper == 0:
            print(*news(2), sep="\\n")  # taken for a master it has stopped, and has found out that it is none
    threading.Event().wait(0.5)
    os.set_blocking(read, False)
    try:
        print(os.read(read, 4096).decode(), end="")
    except BlockingIOError:
        print("quiet")
    print(f"me {os.getpid()}", flush=True)
    os._exit(0)
"""


def test_a_process_with_helpers_keeps_its_worker() -> None:
    """Fails when each fork of a process that was found to be no master makes it one again."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(APP)], capture_output=True, text=True, timeout=60, check=True
    )
    *told, me = done.stdout.splitlines()
    pid = me.removeprefix("me ")
    assert told == [f"start {pid}", f"stop {pid}", f"start {pid}", "quiet"]

"""A process that forks with a SQLite file in use; prints how many of the runs that the child was promised are there.

`idle`: nobody uses it. `in c`: as uWSGI forks, with no call before it. `at work`: another thread is in a transaction.
`own`: the forking thread is.
"""

import ctypes
import gc
import os
import sys
import threading
import time
from pathlib import Path

from lodger import Lodger
from lodger.store.forks import forks

HOW, FILE = sys.argv[1], Path(sys.argv[2])
PROMISED = 5

gc.disable()  # nothing is closed by chance
lodger = Lodger(url=f"sqlite:///{FILE}")
lodger.migrate()
job = lodger.by_name("job")
job.enqueue()
told, tell = os.pipe()
closed, close = os.pipe()


def fork_in_c() -> int:
    pid: int = ctypes.PyDLL(None).fork()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    return pid


def inherited() -> list[str]:
    """The files that this process has open."""
    found = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    return [name for name in found if name.startswith(str(FILE)) and not name.endswith("-lock")]


def in_child() -> None:
    assert inherited() == [], inherited()
    job.enqueue()
    os.write(tell, b"x")
    os.read(closed, 1)
    for _ in range(PROMISED - 1):
        job.enqueue()


def fork() -> int:
    pid = fork_in_c() if HOW == "in c" else os.fork()
    if pid == 0:
        status = 1
        try:
            in_child()
            status = 0
        finally:
            os._exit(status)
    return pid


def work(begun: threading.Event, go_on: threading.Event) -> None:
    with lodger.database.begin():
        begun.set()
        go_on.wait()


def end_it(go_on: threading.Event) -> None:
    while not forks._waiting:
        time.sleep(0.001)
    go_on.set()


if HOW == "at work":
    begun, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, args=(begun, go_on), daemon=True)
    thread.start()
    begun.wait()
    threading.Thread(target=end_it, args=(go_on,), daemon=True).start()
    pid = fork()
    assert go_on.is_set(), "forked in the midst of a transaction"
    thread.join()
elif HOW == "own":
    with lodger.database.begin():
        pid = fork()
else:
    pid = fork()
os.close(tell)
assert os.read(told, 1), "the child ended before it had enqueued anything"
lodger.close()  # the last one out of the file clears up behind itself
os.write(close, b"x")
assert os.waitpid(pid, 0)[1] == 0
with lodger.database.connect() as conn:
    conn.run("SELECT COUNT(*) FROM lodger_run")
    print(conn._cursor.fetchone()[0] - 1)
lodger.close()

"""An app that enqueues, is warned, and forks: `python orphan_forking.py URL`. Its child is warned too."""

import logging
import os
import sys
import threading

from lodger import Lodger

SECONDS = 20.0


class Ear(logging.Handler):
    """Sets an event when the watch says something."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.set()


def enqueue_and_be_warned(who: str, job: str) -> None:
    ear = Ear()
    logging.getLogger("lodger.orphans").addHandler(ear)
    lodger.by_name(job).enqueue()
    assert ear.heard.wait(SECONDS), f"{who} was not warned"
    print(f"{who}: warned", flush=True)


lodger = Lodger(url=sys.argv[1], orphan_seconds=0.1)
enqueue_and_be_warned("parent", "a")
assert lodger._orphans is not None
with lodger._orphans._changed:  # the fork finds the lock taken, as it may
    pid = os.fork()
    if pid == 0:
        try:
            enqueue_and_be_warned("child", "b")
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the parent's test shows it
            print(f"child: {error!r}", flush=True)
            os._exit(1)
assert os.waitpid(pid, 0)[1] == 0
lodger.close()

"""Another process: listens, and answers a "ping" with a "pong". Ends when its stdin does."""

import sys
from pathlib import Path

from lodger.store.database import Database
from lodger.wake.announcer import Announcer
from lodger.wake.listener import Listener

database, runtime_dir = Database(sys.argv[1]), Path(sys.argv[2])
announcer = Announcer(database, runtime_dir)


def answer(queues: frozenset[str]) -> None:
    if "ping" in queues:
        print("ping", flush=True)
        announcer.announce(["pong"])


listener = Listener(database, answer, runtime_dir=runtime_dir)
listener.start()
print("listening", flush=True)
sys.stdin.read()
# No stop(): the end of the process is to remove the socket's file as well.

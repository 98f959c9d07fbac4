"""A process with everything open that forks. Asserts, and says so, in both."""

import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg

from lodger.store.database import Database
from lodger.wake.announcer import Announcer
from lodger.wake.directory import directory_for
from lodger.wake.listener import Listener

TIMEOUT = 15.0
URL, HERE, ELSEWHERE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2]) / "other-host"

heard = threading.Condition()
names: list[str] = []


def remember(queues: frozenset[str]) -> None:
    with heard:
        names.extend(queues or {"everything"})
        heard.notify_all()


def expect(name: str) -> None:
    with heard:
        assert heard.wait_for(lambda: name in names, TIMEOUT), f"{os.getpid()}: no {name!r} in {names}"


def say(announcer: Announcer, name: str) -> None:
    announcer.announce([name])
    expect(name)


def sessions() -> set[int]:
    with psycopg.connect(URL) as connection:
        return {pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")}


def files() -> int:
    return len(list(directory_for(database, HERE).iterdir()))


def in_child(listener: Listener, near: Announcer, far: Announcer) -> None:
    assert listener.hears == frozenset()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lodger")]
    listener.stop()  # the parent's: not ours to stop
    names.clear()
    listener.start()
    expect("everything")
    say(near, "near child")
    say(far, "far child")
    assert files() == 2
    listener.stop()
    far.close()
    assert files() == 1
    print("child: ok", flush=True)


def in_parent(check: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            check()
            gc.collect()
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 (the parent's test shows it)
            print(f"child: {error!r}", flush=True)
        sys.exit(0)  # with all that an end does, such as closing what is open
    assert os.waitpid(pid, 0)[1] == 0


database = Database(URL)
listener = Listener(database, remember, runtime_dir=HERE)
near, far = Announcer(database, HERE), Announcer(database, ELSEWHERE)
listener.start()
expect("everything")
say(near, "near")  # its socket and, behind it, a connection for NOTIFY are open
say(far, "far")
before = sessions()
in_parent(lambda: in_child(listener, near, far))
assert sessions() == before, "the parent's LISTEN session ended"
names.clear()
say(near, "near again")
say(far, "far again")
assert listener.hears == {"socket", "notify"}
listener.stop()
near.close()
far.close()
print("parent: ok")

"""Jobs that misbehave, each in one way. All tell the side log that they started, so that attempts can be counted."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from lodger import Retry, Run, SyncRun
from tests.faults import sidelog
from tests.faults.app import AGAIN, lodger, told
from tests.faults.ledger import Res

ONCE = Retry(max_attempts=1)


def begin(run: Run[Any] | SyncRun[Any]) -> None:
    """Tell that the run starts; it will not come to an end of its own."""
    sidelog.write("start", run.id, run.fence, run.job)


# Death


@lodger.job(retry=AGAIN)
def segfault(run: SyncRun[Res]) -> None:
    """Read address 0."""
    begin(run)
    ctypes.string_at(0)


@lodger.job(retry=AGAIN)
def abort(run: SyncRun[Res]) -> None:
    """As a failed assertion in C does."""
    begin(run)
    os.abort()


@lodger.job(retry=AGAIN)
def hard_exit(run: SyncRun[Res]) -> None:
    """End the process without a word."""
    begin(run)
    os._exit(7)


@lodger.job(executor="process", retry=AGAIN)
def hard_exit_in_process(run: SyncRun[Res]) -> None:
    """The same where only its own process dies."""
    begin(run)
    os._exit(7)


@lodger.job(retry=AGAIN)
async def hard_exit_on_loop(run: Run[Res]) -> None:
    """The same on the event loop."""
    begin(run)
    os._exit(7)


@lodger.job(retry=AGAIN)
def be_killed(run: SyncRun[Res]) -> None:
    """What the kernel does to whoever eats all memory there is."""
    begin(run)
    os.kill(os.getpid(), signal.SIGKILL)


@lodger.job(executor="process", memory_mb=160, on_crash="fail", retry=AGAIN)
def eat_memory(run: SyncRun[Res]) -> None:
    """Take 40 MB every tenth of a second, up to 800 MB should nobody stop it."""
    begin(run)
    eaten = []
    for _ in range(20):
        eaten.append(b"\1" * 40_000_000)
        time.sleep(0.1)
    del eaten


@lodger.job(executor="process", memory_mb=400, retry=ONCE)
def peak(run: SyncRun[Res], keep: bool) -> int:
    """Take 200 MB for as long as it needs to be seen; give them back, or leave them to the next run."""
    with told(run):
        taken = b"\1" * 200_000_000
        time.sleep(0.6)
        if keep:
            _left.append(taken)
    return os.getpid()


@lodger.job(executor="process", memory_mb=160, retry=ONCE)
def frugal(run: SyncRun[Res]) -> int:
    """Take next to nothing for as long as it needs to be seen."""
    with told(run):
        time.sleep(0.6)
    return os.getpid()


_left: list[bytes] = []


# Deafness


@lodger.job(retry=ONCE)
def hold_the_gil(run: SyncRun[Res], seconds: int) -> None:
    """Stay in a C call that does not let go of the GIL: PyDLL calls as an extension module would."""
    with told(run):
        ctypes.PyDLL(None).sleep(seconds)


@lodger.job(retry=ONCE)
def hold_the_gil_and_a_lock(run: SyncRun[Res], seconds: int, path: str) -> None:
    """Stop the engine where it holds what all writers of a SQLite file wait for, as happens within a transaction."""
    with told(run), open(path, "a") as queue:  # noqa: PTH123 - the shortest
        fcntl.flock(queue, fcntl.LOCK_EX)
        ctypes.PyDLL(None).sleep(seconds)


@lodger.job(retry=ONCE)
async def block_the_loop(run: Run[Res], seconds: float) -> None:
    """Forget that this is async code."""
    with told(run):
        time.sleep(seconds)  # noqa: ASYNC251 - the fault under test


@lodger.job(executor="process", timeout=0.5, retry=ONCE)
def swallow_in_process(run: SyncRun[Res]) -> None:
    """Catch everything, for ever."""
    begin(run)
    _swallow(60)


@lodger.job(timeout=0.5, retry=ONCE)
def swallow_in_thread(run: SyncRun[Res], seconds: float) -> None:
    """Catch everything that is thrown in for `seconds`; a thread cannot be killed, so no longer than that."""
    with told(run):
        _swallow(seconds)


@lodger.job(timeout=0.5, retry=ONCE)
def swallow_once_in_thread(run: SyncRun[Res]) -> None:
    """Catch the first exception that is thrown in, as a library that tries again may."""
    begin(run)
    with suppress(BaseException):
        _go_on()
    _go_on()


@lodger.job(timeout=0.5, retry=ONCE)
async def swallow_once_on_loop(run: Run[Res]) -> None:
    """The same on the event loop."""
    begin(run)
    with suppress(BaseException):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


def _go_on() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)


@lodger.job(timeout=0.5, retry=ONCE)
async def swallow_on_loop(run: Run[Res], seconds: float) -> None:
    """The same on the event loop: no cancellation reaches it."""
    end = time.monotonic() + seconds
    with told(run):
        await _swallow_async(lambda: time.monotonic() >= end)


@lodger.job(retry=ONCE)
def deaf_in_thread(run: SyncRun[Res], path: str) -> None:
    """Return when there is a file `path`, and for no other reason."""
    with told(run):
        while not os.path.exists(path):  # noqa: PTH110 - the shortest
            _swallow(0.02)


@lodger.job(retry=ONCE)
async def deaf_on_loop(run: Run[Res], path: str) -> None:
    """The same on the event loop."""
    with told(run):
        await _swallow_async(lambda: os.path.exists(path))  # noqa: PTH110


@lodger.job(executor="process", retry=ONCE)
def deaf_in_process(run: SyncRun[Res], path: str) -> None:
    """The same in a process of its own."""
    with told(run):
        while not os.path.exists(path):  # noqa: PTH110
            _swallow(0.02)


def _swallow(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(BaseException):
            while time.monotonic() < end:
                time.sleep(0.01)


async def _swallow_async(is_over: Callable[[], bool]) -> None:
    while not is_over():
        with suppress(BaseException):
            await asyncio.sleep(0.01)


@lodger.job(retry=ONCE)
async def cancel_saves(run: Run[Res]) -> None:
    """Give up waiting for a checkpoint as soon as it is on its way; the last one is waited for."""
    with told(run):
        for count in range(20):
            saving = asyncio.create_task(run.save(count))
            await asyncio.sleep(0)
            saving.cancel()
            await asyncio.wait([saving])
        await run.save("last")


# Children


@lodger.job(executor="process", retry=ONCE)
def leave_child_and_die(run: SyncRun[Res]) -> None:
    """Fork without exec, then die: the child holds every handle of ours open, the channel to the engine too."""
    begin(run)
    if os.fork() == 0:
        time.sleep(120)
        os._exit(0)
    os._exit(9)


@lodger.job(retry=ONCE)
def leave_child_in_engine(run: SyncRun[Res]) -> int:
    """Fork without exec in a thread of the engine, and leave the child behind with every handle of the engine."""
    with told(run):
        child = os.fork()
        if child == 0:
            time.sleep(120)
            os._exit(0)
    return child


@lodger.job(retry=ONCE)
def fork_runs_on_in_thread(run: SyncRun[Res], ms: int) -> str:
    """Fork a child that does not know that it must not return; the parent needs longer."""
    if os.fork() == 0:
        return "from the child"
    with told(run):
        time.sleep(ms / 1000)
    return "from the parent"


@lodger.job(executor="process", retry=ONCE)
def fork_runs_on(run: SyncRun[Res], ms: int) -> str:
    """Fork a child that does not know that it must not return; the parent needs longer."""
    if os.fork() == 0:
        sys.exit(0)
    with told(run):
        time.sleep(ms / 1000)
    return "from the parent"


@lodger.job(retry=ONCE)
def terminate_child(run: SyncRun[Res]) -> int | None:
    """Fork a child with multiprocessing and terminate it, as its pools do; return its exit code."""
    with told(run):
        child = get_context("fork").Process(target=time.sleep, args=(120,))
        child.start()
        child.terminate()
        child.join(5)
        child.kill()
        child.join()
    return child.exitcode


@lodger.job(executor="process", retry=ONCE)
def leave_grandchild(run: SyncRun[Res]) -> int:
    """Leave a program running that has our standard output."""
    with told(run):
        return subprocess.Popen(["sleep", "120"]).pid


@lodger.job(executor="process", timeout=1, retry=ONCE)
def hang_on_grandchild(run: SyncRun[Res]) -> None:
    """Wait for a program that does not end."""
    begin(run)
    subprocess.run(["sleep", "120"], check=False)


# Vandalism in the process


@lodger.job(retry=ONCE)
def call_exit(run: SyncRun[Res]) -> None:
    """Ask the interpreter to end."""
    begin(run)
    sys.exit("enough")


@lodger.job(retry=ONCE)
async def call_exit_on_loop(run: Run[Res]) -> None:
    """The same on the event loop."""
    begin(run)
    sys.exit("enough")


@lodger.job(executor="process", retry=ONCE)
def call_exit_in_process(run: SyncRun[Res]) -> None:
    """The same in a process of its own."""
    begin(run)
    sys.exit("enough")


@lodger.job(retry=ONCE)
async def interrupt_on_loop(run: Run[Res]) -> None:
    """Raise what Ctrl-C raises."""
    begin(run)
    raise KeyboardInterrupt


@lodger.job(retry=ONCE)
def move_house(run: SyncRun[Res]) -> str:
    """Change what belongs to the whole process: working directory, umask, signals, locale."""
    with told(run):
        os.chdir("/")
        os.umask(0o777)
        os.environ["TZ"] = "Pacific/Apia"
        time.tzset()
        signal.siginterrupt(signal.SIGUSR1, True)
    return "moved"


@lodger.job(executor="process", retry=ONCE)
def close_everything(run: SyncRun[Res]) -> None:
    """Close every file there is, the channel to the engine too."""
    begin(run)
    os.closerange(3, 1024)
    time.sleep(2)


@lodger.job(retry=AGAIN)
def close_everything_in_thread(run: SyncRun[Res]) -> None:
    """The same in the engine's own process."""
    begin(run)
    os.closerange(3, 1024)
    time.sleep(2)


@lodger.job(retry=AGAIN)
async def exit_in_subtask(run: Run[Res]) -> None:
    """Ask the interpreter to end, where asyncio passes it on to the loop itself."""
    begin(run)
    await asyncio.create_task(_exit())


async def _exit() -> None:
    sys.exit("enough")


@lodger.job(retry=AGAIN)
async def stop_the_loop(run: Run[Res]) -> None:
    """Stop the event loop that all async jobs share."""
    begin(run)
    asyncio.get_running_loop().stop()
    await asyncio.sleep(60)


# Unspeakable answers


class Unspeakable(Exception):
    """Its text can't be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Quitter(Exception):
    """Asking for its text ends the program."""

    def __str__(self) -> str:  # noqa: PLE0307 - that is the hostility
        sys.exit(3)


@lodger.job(retry=ONCE)
async def raise_unspeakable(run: Run[Res]) -> None:
    begin(run)
    raise Unspeakable


@lodger.job(retry=ONCE)
async def raise_quitter(run: Run[Res]) -> None:
    begin(run)
    raise Quitter


@lodger.job(retry=ONCE)
def raise_novel(run: SyncRun[Res]) -> None:
    """An error text of 5 MB with NULs and half a surrogate pair."""
    begin(run)
    raise ValueError("\0\ud800 end of the world " * 220_000)


@lodger.job(retry=ONCE)
def return_nonsense(run: SyncRun[Res]) -> Any:
    """What JSON cannot say."""
    with told(run):
        return {"self": object(), 1: {2}}


@lodger.job(retry=ONCE)
async def return_too_much(run: Run[Res]) -> str:
    """More than a result may be."""
    with told(run):
        return "x" * 3_000_000

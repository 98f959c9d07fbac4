"""What our processes do at signals."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from lodger.placement.signals import SignalChain
from lodger.processes.signals import on_signal


@pytest.mark.parametrize("server", ["gunicorn.arbiter", "uvicorn"])
def test_only_gunicorn_ends_a_process_by_the_signal_that_elsewhere_dumps_stacks(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when it is heard under all: the web process would serve on, and nobody would carry the worker."""
    monkeypatch.delitem(sys.modules, "gunicorn.arbiter", raising=False)
    monkeypatch.setitem(sys.modules, server, sys)
    ear, mouth = os.pipe()
    dumped: list[int] = []
    before = signal.signal(signal.SIGQUIT, lambda number, _: dumped.append(number))
    chain = SignalChain(mouth)
    chain.install()
    try:
        signal.raise_signal(signal.SIGQUIT)
        os.set_blocking(ear, False)
        assert dumped == [signal.SIGQUIT]
        assert ("SIGQUIT" in chain.heard) == (server == "gunicorn.arbiter")
        if server == "gunicorn.arbiter":
            assert os.read(ear, 1) == b"\0"
        else:
            with pytest.raises(BlockingIOError):
                os.read(ear, 1)
    finally:
        chain.remove()
        signal.signal(signal.SIGQUIT, before)
        os.close(ear)
        os.close(mouth)


def test_a_handler_takes_no_lock_and_no_fork_inherits_it() -> None:
    """Fails when the handler itself acts: the lock that the main thread holds is never free; without the fork hook."""
    lock = threading.Lock()
    got: list[bool] = []
    acted = threading.Event()

    def act() -> None:
        with_lock = lock.acquire(timeout=5)
        got.append(with_lock)
        lock.release()
        acted.set()

    before = signal.getsignal(signal.SIGUSR1)
    on_signal((signal.SIGUSR1,), act)
    try:
        with lock:
            signal.raise_signal(signal.SIGUSR1)
        assert acted.wait(5)
        assert got == [True]
        child = os.fork()
        if child == 0:
            signal.pause()
        os.kill(child, signal.SIGUSR1)  # perhaps before it has done its first step
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR1, before)

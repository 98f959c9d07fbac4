"""What our processes do at signals."""

from __future__ import annotations

import os
import signal
import threading

from lodger.processes.signals import on_signal


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

"""Signals of a process of ours: their handlers do no more than write to a pipe, and a child of a job inherits none.

A handler runs between any two steps of the main thread, which may hold the very lock that it would take; so what is
to be done is done by a thread that reads the pipe. A handler in Python, even one that does nothing, is not kept by a
program that a job starts, as SIG_IGN would be; a child that a job forks would keep it, and be deaf to `terminate()`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

Handler: TypeAlias = Callable[[int, object], None]

_handlers: Final[dict[signal.Signals, tuple[Handler, Any]]] = {}
"""Ours, and what there was before."""
_mask: Final = threading.local()


def on_signal(numbers: Sequence[signal.Signals], act: Callable[[], None]) -> None:
    """Have ``act`` called at each of these signals, in a thread of its own. Call it in the main thread."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)

    def tell(_number: int, _frame: object) -> None:
        with suppress(OSError):  # full: it will be read; closed by a job: the process is about to end
            os.write(writable, b"\0")

    def listen() -> None:
        with suppress(OSError):
            while os.read(readable, 1):
                act()

    threading.Thread(target=listen, name="lodger-signals", daemon=True).start()
    _handle(numbers, tell)


def disregard(*numbers: signal.Signals) -> None:
    """Do nothing at these signals: somebody else decides what happens."""
    _handle(numbers, _nothing)


def _nothing(_number: int, _frame: object) -> None:
    pass


def _handle(numbers: Sequence[signal.Signals], handler: Handler) -> None:
    for number in numbers:
        _handlers[number] = handler, signal.signal(number, handler)


def _hold_back() -> None:
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _handlers)


def _let_through() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _forget() -> None:
    for number, (ours, before) in _handlers.items():
        if signal.getsignal(number) is ours:
            signal.signal(number, signal.SIG_DFL if before is None else before)
    _let_through()


if hasattr(os, "register_at_fork"):
    # Held back meanwhile: what is sent to the child before it has forgotten our handlers would be lost in them.
    os.register_at_fork(before=_hold_back, after_in_parent=_let_through, after_in_child=_forget)

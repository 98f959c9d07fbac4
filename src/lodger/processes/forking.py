"""What a forked child must not share with its parent (sockets, connections, threads, locks), and whose child one is."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    """Something that can drop, in a child, what belongs to the parent, without touching it."""

    def forget(self) -> None:
        """Begin anew; runs in the child right after the fork, in its only thread."""


def forget_after_fork(thing: Forgetful) -> None:
    """Have ``thing.forget()`` called in every forked child, as long as ``thing`` lives."""
    reference = weakref.ref(thing)

    def forget() -> None:
        alive = reference()
        if alive is not None:
            alive.forget()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


def is_child(pid: int) -> bool:
    """Whether this process has forked that one. The question reaps nothing; where it can't be asked any may be one."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True

"""What a forked child must not share with its parent: sockets, connections, threads, locks."""

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

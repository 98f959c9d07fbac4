"""What the wake-up's tests share: patience, a hasty pace, a callback that can be waited for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from lodger.wake.ear import Pace

if TYPE_CHECKING:
    from lodger.store.database import Database
    from lodger.wake.listener import Listener

# Far longer than anything here takes; only a failure waits for it.
TIMEOUT = 20.0
# So that what happens every half minute, or after a minute's patience, happens in a test.
HASTY = Pace(check=0.2, answer=0.5, first_retry=0.05, last_retry=0.2, hopeless_retry=0.5)


class Wakes:
    """An on_wake that remembers, and can be waited for."""

    def __init__(self) -> None:
        self.all: list[frozenset[str]] = []
        self._changed = threading.Condition()

    def __call__(self, queues: frozenset[str]) -> None:
        with self._changed:
            self.all.append(queues)
            self._changed.notify_all()

    def wait_for(self, *queues: str, everything: bool = False) -> None:
        """Wait until every one of `queues` was heard by name, or with `everything` of a look at all queues."""
        __tracebackhide__ = True
        with self._changed:

            def heard() -> bool:
                names = set().union(*self.all)
                return set(queues) <= names and (not everything or frozenset() in self.all)

            if not self._changed.wait_for(heard, TIMEOUT):
                pytest.fail(f"waited {TIMEOUT:g} s for a wake of {queues or 'everything'}; heard {self.all}")

    def clear(self) -> None:
        with self._changed:
            self.all.clear()


class Start(Protocol):
    """Starts a listener that is stopped at the test's end."""

    def __call__(self, database: Database, wakes: Wakes, **options: Any) -> Listener: ...

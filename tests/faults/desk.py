"""The test's own side: it enqueues, waits, and reads the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from sqlalchemy import text

from lodger import Lodger
from lodger.client.handle import RunHandle
from lodger.client.job import Call
from tests.faults import ledger, reading, sidelog
from tests.faults.fleet import Fleet
from tests.faults.history import History
from tests.support.wait import wait_until

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Desk:
    """Enqueues into one fleet's database."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.lodger = Lodger(url=fleet.url)
        self.engine = ledger.open_engine(fleet.url)
        self.lodger.migrate()
        with self.engine.begin() as connection:
            connection.execute(text(ledger.CREATE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.fleet.end()
        self.engine.dispose()
        self.lodger._outbox.close()
        self.lodger.database.dispose()

    def enqueue(self, *calls: Call) -> list[RunHandle[Any]]:
        """Enqueue in one transaction, and tell the side log that it was acknowledged."""
        handles = self.lodger.enqueue_many(calls)
        self.fleet.side.acknowledge(handle.id for handle in handles)
        return handles

    def one(self, call: Call) -> RunHandle[Any]:
        """Enqueue one run."""
        return self.enqueue(call)[0]

    def counts(self) -> dict[str, int]:
        """How many runs there are, by status."""
        return reading.counts(self.engine)

    def wait_all(self, timeout: float) -> None:
        """Wait until every run has ended."""
        wait_until(lambda: not [name for name in self.counts() if name not in ENDED], timeout, "all runs to end")

    def wait_status(self, handle: RunHandle[Any], status: str, timeout: float) -> None:
        """Wait until a run has this status."""
        wait_until(lambda: handle.status() == status, timeout, f"{status} of {handle!r}")

    def wait_start(self, handle: RunHandle[Any], timeout: float = 60, fence: int | None = None) -> sidelog.Mark:
        """Wait until the run has started (under this fence); return the start."""
        starts = wait_until(
            lambda: [mark for mark in self.fleet.side.starts(handle.id) if fence in (None, mark.fence)],
            timeout,
            f"the start of {handle!r}",
        )
        return starts[0]

    def history(self, expected: Mapping[str, str] | None = None) -> History:
        """What is known by now."""
        return reading.read(self.engine, self.fleet.side, expected)

    def check(self, expected: Mapping[str, str] | None = None) -> History:
        """Fail unless all invariants hold; return the history."""
        history = self.history(expected)
        reading.check(history)
        return history

    def expect(self, status: str, handles: Sequence[RunHandle[Any]]) -> dict[str, str]:
        """Say that these runs are to end with this status."""
        return {handle.id: status for handle in handles}

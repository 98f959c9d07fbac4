"""An app's transaction that has locked the rows of running runs holds up those runs, and no others.

Shown to fail on PostgreSQL and MariaDB with `Bypass.note` doing nothing: no end is recorded while the lock is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lodger.client.handle import RunHandle
from lodger.store.sql import Terms, statement
from lodger.store.values import id_in
from tests.faults import app
from tests.faults.desk import Desk
from tests.faults.fleet import Fleet


@statement
def lock(t: Terms) -> str:
    """What an app does that is about to change a run's row."""
    return f"SELECT 1 FROM {t.run} WHERE id = :id {t.for_update()}"


@contextmanager
def locked(desk: Desk, handles: list[RunHandle[Any]]) -> Iterator[None]:
    """Lock the rows of what runs now. SQLite has no such locks: its one writer makes all others wait."""
    database = desk.lodger.database
    if database.dialect == "sqlite":
        yield
        return
    with database.begin() as tx:
        for handle in handles:
            assert tx.rows(lock, id=id_in(database.dialect, handle.id))
        yield
        assert [handle.status() for handle in handles] == ["RUNNING"] * len(handles)


def test_locked_runs_hold_up_no_others(fleet: Fleet, desk: Desk) -> None:
    fleet.start()
    gates = [fleet.directory / "answer", fleet.directory / "saves"]
    answering = desk.one(app.patient.call(str(gates[0])))
    saving = desk.one(app.saving.call(str(gates[1])))
    for handle in (answering, saving):
        desk.wait_start(handle)
    with locked(desk, [answering, saving]):
        gates[0].touch()
        for _ in range(2):  # the second lot comes when the engine knows of the locks
            others = desk.enqueue(*[app.noop.call() for _ in range(20)])
            for other in others:
                desk.wait_status(other, "SUCCEEDED", 30)
    gates[1].touch()
    desk.wait_all(30)
    assert answering.result(0) == "seen"
    assert saving.result(0) >= 1
    desk.check()

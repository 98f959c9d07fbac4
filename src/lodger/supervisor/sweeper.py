"""Look for workers that fell silent, and free their runs."""

from __future__ import annotations

import logging
from typing import Final

from lodger.failpoints import failpoint
from lodger.store import rescue
from lodger.store.database import Conn, Database
from lodger.store.rescue import Freed
from lodger.worker.flight import Manifest

logger: Final = logging.getLogger("lodger.supervisor")


def sweep(database: Database) -> list[Freed]:
    """Free the runs of all silent workers; return them. Any number of sweepers may run at once.

    What goes wrong with one worker is logged, and tried again with the next sweep.
    """
    with database.connect() as conn:
        suspects = rescue.silent(conn)
    freed: list[Freed] = []
    for worker in suspects:
        try:
            runs = database.transact(lambda conn, worker=worker: _free_silent(conn, worker))  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - the others are no less dead
            logger.warning("worker %s fell silent, its runs could not be freed: %s", worker, error)
            continue
        if runs is None:
            continue
        failpoint("rescue.after_commit")
        logger.warning("worker %s fell silent: %d of its runs are queued again", worker, len(runs))
        freed += runs
    freed += database.transact(rescue.free_ownerless)
    return freed


def free_engine(
    database: Database,
    worker: str,
    engine: int,
    how: str,
    manifest: Manifest | None = None,
    *,
    alone: bool | None = None,
) -> list[Freed]:
    """Free the runs of an engine that was seen to die; ``manifest`` says which of them it was executing."""
    return database.transact(lambda conn: _free_engine(conn, worker, engine, how, manifest, alone))


def free_stopped(database: Database, worker: str, engine: int) -> list[Freed]:
    """Free what an engine still held when its worker stopped."""
    return database.transact(lambda conn: _free_stopped(conn, worker, engine))


def _free_silent(conn: Conn, worker: str) -> list[Freed] | None:
    runs = rescue.free_silent(conn, worker)
    failpoint("rescue.before_commit")
    return runs


def _free_engine(
    conn: Conn, worker: str, engine: int, how: str, manifest: Manifest | None, alone: bool | None
) -> list[Freed]:
    if manifest is None:
        runs = rescue.free_engine(conn, worker, engine, how, alone=alone)
    else:
        told = {"running": manifest.running, "begun": manifest.begun}
        runs = rescue.free_engine(conn, worker, engine, how, **told, alone=alone)
    failpoint("rescue.before_commit")
    return runs


def _free_stopped(conn: Conn, worker: str, engine: int) -> list[Freed]:
    runs = rescue.free_stopped(conn, worker, engine)
    if runs:
        failpoint("release.before_commit")
    return runs

"""The one look: everything the rules and the overview want to know, in a dozen small reads."""

from __future__ import annotations

from lodger.doctor.facts import Facts
from lodger.model.remedies import Here
from lodger.settings import Settings
from lodger.store import (
    coverage,
    migrations,
    queues,
    recent,
    schedulers,
    schedules,
    server,
    sqlite_file,
)
from lodger.store.database import Conn, Database


def look(database: Database, settings: Settings) -> Facts:
    """Return what there is to see. Raises SchemaError when there are no tables."""
    file = sqlite_file.look(database.url)  # before a connection of ours turns the file to WAL
    with database.connect() as conn:
        version = migrations.version(conn)
        if version == 0:
            raise migrations.missing(database)
        if version < migrations.LATEST:
            return Facts(
                dialect=database.dialect,
                now=schedules.clock(conn),
                schema=version,
                latest=migrations.LATEST,
            )
        return _read(conn, settings, version, file)


def _read(conn: Conn, settings: Settings, version: int, file: sqlite_file.SqliteFile | None) -> Facts:
    skew = server.skew(conn)
    return Facts(
        dialect=conn.dialect,
        now=schedules.clock(conn),
        schema=version,
        latest=migrations.LATEST,
        here=Here(environment=settings.environment, app=settings.app),
        grace_seconds=settings.grace_seconds,
        workers=tuple(coverage.workers(conn)),
        waiting=tuple(coverage.waiting(conn)),
        running=recent.running(conn),
        paused=frozenset(queues.paused(conn)),
        schedules=tuple(schedules.listing(conn)),
        daemons=tuple(schedulers.listing(conn)),
        durations=tuple(recent.durations(conn)),
        totals=recent.totals(conn),
        skew=skew,
        server=server.look(conn),
        file=file,
    )

"""What the rules judge: one look at the database and the environment, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from lodger.model.coverage import SeenWorker, Waiting, is_covered, presence_lack
from lodger.model.remedies import Here
from lodger.model.schedule import ScheduleRecord
from lodger.store.recent import Totals
from lodger.store.schedulers import SchedulerRecord
from lodger.store.server import Server, Skew
from lodger.store.sql import DialectName
from lodger.store.sqlite_file import SqliteFile

Severity: TypeAlias = Literal["error", "warning", "unknown"]
"""error: work does not flow, or can be lost. warning: it will hurt. unknown: not enough data."""

EXIT_CODES: Final[dict[Severity, int]] = {"error": 2, "warning": 1, "unknown": 0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found; ``what`` is a clause, ``todo`` an exact command or variable."""

    severity: Severity
    rule: str
    what: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Numbers and names, each with its unit in its key."""
    todo: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """One look. What could not be seen, or does not exist on this engine, is None or empty."""

    dialect: DialectName
    now: datetime
    """By the database's clock."""
    schema: int
    latest: int
    """The schema that this release knows."""
    here: Here = field(default_factory=Here)
    grace_seconds: float = 8.0
    workers: tuple[SeenWorker, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    running: Mapping[str, int] = field(default_factory=dict)
    """Runs by queue."""
    paused: frozenset[str] = frozenset()
    schedules: tuple[ScheduleRecord, ...] = ()
    daemons: tuple[SchedulerRecord, ...] = ()
    durations: tuple[float, ...] = ()
    """Seconds from claim to end, of the newest ended runs."""
    totals: Totals | None = None
    skew: Skew | None = None
    server: Server | None = None
    file: SqliteFile | None = None

    @property
    def present(self) -> list[SeenWorker]:
        """Return the workers of this environment that live and are not stopping, whatever their engines do."""
        return [worker for worker in self.workers if presence_lack(worker, self.here.environment) is None]

    @property
    def live_daemons(self) -> list[SchedulerRecord]:
        """Return the schedule daemons that beat; fires know no environments."""
        return [daemon for daemon in self.daemons if daemon.is_live]

    @property
    def orphans(self) -> list[Waiting]:
        """Return the work that waits without a live worker, that of paused queues left out."""
        return [
            one
            for one in self.waiting
            if not one.paused
            and one.queue not in self.paused
            and not is_covered(one.pair, self.workers, self.here.environment)
        ]


def exit_code(findings: list[Finding]) -> int:
    """Return 0 when all is fine, 1 for warnings, 2 for errors."""
    return max((EXIT_CODES[one.severity] for one in findings), default=0)

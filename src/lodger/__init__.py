"""Lodger: background jobs on the app's own SQL database."""

from lodger.app import Lodger
from lodger.client.handle import RunHandle
from lodger.client.job import Call, Job
from lodger.errors import (
    ConfigurationError,
    InvalidInput,
    LeaseLost,
    LodgerError,
    ResultTimeout,
    ResultUnavailable,
    RunCancelled,
    RunFailed,
    RunNotFound,
    ScheduleDeclared,
    ScheduleNotFound,
    SchemaError,
    UniqueConflict,
    WrongStatus,
)
from lodger.model.answers import Cancel, Interrupted, RetryAfter, Snooze
from lodger.model.middleware import Middleware
from lodger.model.retry import Retry
from lodger.model.run import Attempt, LogLine, Progress, RunError, RunRecord
from lodger.model.schedule import ScheduleRecord
from lodger.model.status import Status
from lodger.model.timetable import Cron, Every
from lodger.model.unique import Unique
from lodger.worker.attempt.context import Run, SyncRun

__version__ = "0.1.0"

__all__ = [
    "Attempt",
    "Call",
    "Cancel",
    "ConfigurationError",
    "Cron",
    "Every",
    "Interrupted",
    "InvalidInput",
    "Job",
    "LeaseLost",
    "Lodger",
    "LodgerError",
    "LogLine",
    "Middleware",
    "Progress",
    "ResultTimeout",
    "ResultUnavailable",
    "Retry",
    "RetryAfter",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunHandle",
    "RunNotFound",
    "RunRecord",
    "ScheduleDeclared",
    "ScheduleNotFound",
    "ScheduleRecord",
    "SchemaError",
    "Snooze",
    "Status",
    "SyncRun",
    "Unique",
    "UniqueConflict",
    "WrongStatus",
    "__version__",
]

"""One frozen table of settings: keyword argument, else ``LODGER_*`` variable, else default.

"Not set" is its own value (None in the arguments), never mistaken for a default. A bad value names the
variable, the value and what is allowed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final

from lodger.errors import ConfigurationError

logger: Final = logging.getLogger("lodger")
ALIKE: Final = 0.9
"""As difflib counts: a letter or two in so many."""
DAY: Final = 86400.0
MAX_IDENTIFIER: Final = 31
QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
TRUE: Final = frozenset({"1", "true", "yes", "on"})
FALSE: Final = frozenset({"0", "false", "no", "off", ""})


def setting(
    default: Any,
    variable: str,
    sentence: str,
    low: float = 0,
    high: float = 1e9,
    words: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field that carries its variable, meaning and bounds (of a text: the words allowed)."""
    told = {"variable": variable, "sentence": sentence, "low": low, "high": high, "words": words}
    return field(default=default, metadata=told)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that can be set, with its default."""

    app: str = setting("", "LODGER_APP", "Where the Lodger object is: package.module:name")
    environment: str = setting(
        "default", "LODGER_ENVIRONMENT", "Name of the deployment; workers of others do not count"
    )
    release: str = setting("", "LODGER_RELEASE", "Version of the app, shown with each worker")
    prefix: str = setting("lodger_", "LODGER_PREFIX", "What the names of Lodger's tables begin with")
    schema: str = setting("", "LODGER_SCHEMA", "PostgreSQL schema of Lodger's tables")
    migrate: bool = setting(False, "LODGER_MIGRATE", "Create or upgrade the tables at start (SQLite always does)")
    embed_in_tests: bool = setting(
        False,
        "LODGER_EMBED_IN_TESTS",
        "Start the embedded worker in tests, too: under pytest, unittest and Starlette's TestClient",
    )
    queues: tuple[str, ...] = setting((), "LODGER_QUEUES", "Queues to work on, comma-separated; empty: all")
    separate_queues: tuple[str, ...] = setting(
        (), "LODGER_SEPARATE_QUEUES", "Queues that only separate workers work on, comma-separated"
    )
    concurrency: int = setting(
        0,
        "LODGER_CONCURRENCY",
        "Runs that one engine executes at once; 0: 20, of an embedded child 5, in a thread 3",
        0,
        10_000,
    )
    process_slots: int = setting(
        0,
        "LODGER_PROCESS_SLOTS",
        "Of these, in processes of their own; 0: one per CPU, embedded one less, within the CPU quota, one at least",
        0,
        1000,
    )
    processes: int = setting(1, "LODGER_PROCESSES", "Engines (processes) of a separate worker", 1, 1000)
    grace_seconds: float = setting(
        8.0, "LODGER_GRACE_SECONDS", "Time that runs have to end when the worker stops", 0, 86400
    )
    beat_seconds: float = setting(10.0, "LODGER_BEAT_SECONDS", "How often a worker says that it lives", 0.05, 3600)
    dead_after_seconds: float = setting(
        60.0,
        "LODGER_DEAD_AFTER_SECONDS",
        "Silence after which a worker is dead; doubled in thread placement",
        0.2,
        86400,
    )
    sweep_seconds: float = setting(15.0, "LODGER_SWEEP_SECONDS", "How often workers look for dead ones", 0.05, 3600)
    takeover_seconds: float = setting(
        30.0,
        "LODGER_TAKEOVER_SECONDS",
        "Time after a separate worker left in order (a deploy) until the embedded one takes over (mode auto)",
        0,
        3600,
    )
    orphan_seconds: float = setting(
        40.0,
        "LODGER_ORPHAN_SECONDS",
        "Time that a worker has to come before a process that enqueues warns that nobody serves its runs",
        0,
        86400,
    )
    poll_seconds: float = setting(
        0.0,
        "LODGER_POLL_SECONDS",
        "How often an idle worker looks for runs; 0: 1 s, on MariaDB and MySQL 0.15 s",
        0,
        60,
    )
    promote_seconds: float = setting(0.5, "LODGER_PROMOTE_SECONDS", "How often due scheduled runs are queued", 0.01, 60)
    cancel_seconds: float = setting(
        1.0, "LODGER_CANCEL_SECONDS", "How often running runs are checked for a cancel", 0.01, 60
    )
    schedule_seconds: float = setting(
        1.0,
        "LODGER_SCHEDULE_SECONDS",
        "How often a schedule daemon looks for schedules that were added or changed; due ones fire on time",
        0.01,
        60,
    )
    misfire_seconds: float = setting(
        60.0, "LODGER_MISFIRE_SECONDS", 'How late a schedule with misfire="skip" may fire', 0, 86400
    )
    prune_seconds: float = setting(
        60.0, "LODGER_PRUNE_SECONDS", "How often ended runs past their retention are deleted", 0.05, 86400
    )
    keep_succeeded_seconds: float = setting(7 * DAY, "LODGER_KEEP_SUCCEEDED_SECONDS", "Retention of succeeded runs", 0)
    keep_failed_seconds: float = setting(
        30 * DAY, "LODGER_KEEP_FAILED_SECONDS", "Retention of failed and cancelled runs", 0
    )
    keep_fires_seconds: float = setting(
        7 * DAY, "LODGER_KEEP_FIRES_SECONDS", "Retention of the instants that schedules were fired for", 60
    )
    recycle_runs: int = setting(
        1000, "LODGER_RECYCLE_RUNS", "Runs after which a process of the process executor is replaced", 1
    )
    memory_mb: int = setting(
        0,
        "LODGER_MEMORY_MB",
        "Memory ceiling of a process of the process executor; 0: `LODGER_WORKER_HARD_MB`, if that is one",
        0,
    )
    nice: int = setting(10, "LODGER_NICE", "CPU priority of an embedded child: niceness", 0, 19)
    job_priority: str = setting(
        "idle",
        "LODGER_JOB_PRIORITY",
        "CPU priority of an embedded worker's processes of the process executor: idle (only what nobody else wants), "
        "nice (niceness 19) or normal (the engine's)",
        words=("idle", "nice", "normal"),
    )
    engine_runs: int = setting(
        0, "LODGER_ENGINE_RUNS", "Runs after which an engine is replaced, when its last ones have ended; 0: never", 0
    )
    engine_soft_mb: int = setting(
        0,
        "LODGER_ENGINE_SOFT_MB",
        "Memory of an engine's process from which on it is replaced, when its last runs have ended; 0: never",
        0,
    )
    worker_hard_mb: int = setting(
        0,
        "LODGER_WORKER_HARD_MB",
        "Memory ceiling of a worker's engines with all that they started: beyond, the largest job process or engine is "
        "killed; 0: 70 % of the container's memory limit for an embedded child, else none; -1: none",
        -1,
    )

    def __post_init__(self) -> None:
        """Refuse values out of bounds."""
        for one in fields(self):
            value = getattr(self, one.name)
            words = one.metadata["words"]
            if words and value not in words:
                raise ConfigurationError(one.metadata["variable"], value, ", ".join(words))
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            low, high = one.metadata["low"], one.metadata["high"]
            if not low <= value <= high:
                raise ConfigurationError(one.metadata["variable"], value, f"{low:g} to {high:g}")
        _queue_names("LODGER_QUEUES", self.queues)
        _queue_names("LODGER_SEPARATE_QUEUES", self.separate_queues)
        _identifier("LODGER_PREFIX", self.prefix)
        _identifier("LODGER_SCHEMA", self.schema)
        if self.dead_after_seconds < 2 * self.beat_seconds:
            raise ConfigurationError(
                "LODGER_DEAD_AFTER_SECONDS",
                self.dead_after_seconds,
                f"at least two beats ({2 * self.beat_seconds:g} s)",
            )

    def to_json(self) -> dict[str, Any]:
        """Return the settings for another process of this worker."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings that ``to_json`` made."""
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**given)


def read(overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings: ``overrides`` (None values are 'not set'), else variables, else defaults."""
    environ = os.environ if environ is None else environ
    overrides = overrides or {}
    known = {one.name: one for one in fields(Settings)}
    for name in overrides:
        if name not in known:
            raise ConfigurationError("setting", name, ", ".join(sorted(known)))
    values: dict[str, Any] = {}
    for name, one in known.items():
        if overrides.get(name) is not None:
            values[name] = _typed(name, overrides[name], one.default)
        elif one.metadata["variable"] in environ:
            values[name] = _parsed(one.metadata["variable"], environ[one.metadata["variable"]], one.default)
    for variable in environ:
        if variable.startswith("LODGER_"):
            _question(variable)
    return Settings(**values)


@cache
def _question(variable: str) -> None:
    """Warn of what looks like a misspelt variable, once; others may have any name."""
    from difflib import get_close_matches

    known = [one.metadata["variable"] for one in fields(Settings)]
    meant = [] if variable in known else get_close_matches(variable, known, n=1, cutoff=ALIKE)
    if meant:
        logger.warning("%s is set, which is no setting of Lodger's: is %s meant?", variable, meant[0])


def _typed(name: str, value: Any, default: Any) -> Any:
    """Return an argument as the setting's type; ints pass for floats, lists for tuples."""
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ConfigurationError(name, value, f"a value of type {type(default).__name__}")
    return value


def _parsed(variable: str, text: str, default: Any) -> Any:
    """Return a variable's text as the type of its default."""
    if isinstance(default, bool):
        return parse_bool(variable, text)
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise ConfigurationError(variable, text, f"a number ({type(default).__name__})") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def parse_bool(variable: str, text: str) -> bool:
    """Return the truth of ``text``; "false" is false, and what is neither is refused."""
    word = text.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ConfigurationError(variable, text, "true, false, 1, 0, yes, no, on, off")


def _queue_names(variable: str, names: tuple[Any, ...]) -> None:
    """Refuse what no queue is called: it would be waited for, or left to others, for ever and silently."""
    for name in names:
        if not isinstance(name, str) or not QUEUE_NAME.fullmatch(name):
            raise ConfigurationError(
                variable, name, "names of queues, comma-separated: 1 to 64 letters, digits, '_', '.', ':' or '-'"
            )


def _identifier(variable: str, value: str) -> None:
    ok = value.isascii() and len(value) <= MAX_IDENTIFIER and all(c.islower() or c.isdigit() or c == "_" for c in value)
    if not ok or value[:1].isdigit():
        raise ConfigurationError(
            variable, value, "lower-case letters, digits and _, at most 31, not beginning with a digit"
        )

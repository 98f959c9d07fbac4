"""A registered job and the registry of all of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from lodger.errors import ConfigurationError, InvalidInput
from lodger.model.arguments import Arguments, Result
from lodger.model.middleware import Middleware
from lodger.model.retry import Retry
from lodger.model.run import OnCrash
from lodger.settings import QUEUE_NAME

if TYPE_CHECKING:
    from lodger.model.schedule import ScheduleSpec

ExecutorName: TypeAlias = Literal["asyncio", "thread", "process"]
EXECUTORS: Final = ("asyncio", "thread", "process")
NAME: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,200}")
MAX_PRIORITY: Final = 2_000_000_000
MAX_TIMEOUT_SECONDS: Final = 30 * 86400.0
MAX_TAGS: Final = 20
MAX_TAG_LENGTH: Final = 64
MAX_MEMORY_MB: Final = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """A job: its function and its options."""

    name: str
    function: Callable[..., Any]
    arguments: Arguments
    result: Result
    is_async: bool
    takes_run: bool
    executor: ExecutorName
    queue: str = "default"
    priority: int = 0
    timeout: float | None = None
    retry: Retry = field(default_factory=Retry)
    on_crash: OnCrash = "retry"
    memory_mb: int | None = None
    tags: tuple[str, ...] = ()
    embeddable: bool = True
    """False: no embedded worker runs it, whatever its placement; only a separate one does."""

    def __post_init__(self) -> None:
        """Refuse options outside their bounds."""
        checked_name("job name", self.name, NAME)
        checked_name("queue", self.queue, QUEUE_NAME)
        checked_priority(self.priority)
        checked_timeout(self.timeout)
        checked_executor(self.executor, is_async=self.is_async)
        checked_on_crash(self.on_crash)
        checked_embeddable(self.embeddable)
        if self.memory_mb is not None:
            checked_memory(self.memory_mb, self.executor)


class Registry:
    """The jobs of an app and what surrounds them; filled while the app's modules are imported."""

    def __init__(self, middleware: tuple[Middleware, ...] = ()) -> None:
        """Begin empty."""
        self.jobs: dict[str, JobSpec] = {}
        self.apart: tuple[str, ...] = ()
        """Names of jobs that are left out, since they run in separate workers only."""
        self.schedules: dict[str, ScheduleSpec] = {}
        self.middleware = middleware
        self.lifespan: Callable[[], AsyncIterator[Any]] | None = None

    def add(self, spec: JobSpec) -> None:
        """Register a job; two functions under one name are refused (a reload of the same one is not)."""
        known = self.jobs.get(spec.name)
        if known is not None and _place(known.function) != _place(spec.function):
            raise ConfigurationError("job name", spec.name, f"another name: {_place(known.function)} has this one")
        self.jobs[spec.name] = spec

    def add_schedule(self, spec: ScheduleSpec) -> None:
        """Register a schedule; two that differ under one id are refused."""
        known = self.schedules.get(spec.id)
        if known is not None and known.digest != spec.digest:
            raise ConfigurationError(
                "schedule id", spec.id, "another id: a different schedule is declared under this one"
            )
        self.schedules[spec.id] = spec

    def embeddable(self) -> Registry:
        """Return what an embedded worker has of it: all but the jobs that may not run there."""
        registry = Registry(self.middleware)
        registry.jobs = {name: spec for name, spec in self.jobs.items() if spec.embeddable}
        registry.apart = tuple(sorted(self.jobs.keys() - registry.jobs.keys()))
        registry.schedules = self.schedules
        registry.lifespan = self.lifespan
        return registry


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def checked_name(field_name: str, value: object, pattern: re.Pattern[str]) -> str:
    """Return ``value`` or raise InvalidInput: names are letters, digits, '_', '.', ':' and '-'."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        limit = "200" if pattern is NAME else "64"
        raise InvalidInput(field_name, value, f"1 to {limit} letters, digits, '_', '.', ':' or '-'")
    return value


def checked_priority(value: object) -> int:
    """Return ``value`` or raise InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_PRIORITY:
        raise InvalidInput("priority", value, f"an integer from -{MAX_PRIORITY} to {MAX_PRIORITY}; larger runs first")
    return value


def checked_timeout(value: object) -> float | None:
    """Return ``value`` in seconds or raise InvalidInput."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_TIMEOUT_SECONDS:
        raise InvalidInput("timeout", value, f"seconds, over 0 to {MAX_TIMEOUT_SECONDS:.0f}, or None")
    return float(value)


def checked_executor(value: object, *, is_async: bool) -> str:
    """Return ``value`` or raise InvalidInput; an async job cannot run in a plain thread, nor a sync one on a loop."""
    allowed = ("asyncio", "process") if is_async else ("thread", "process")
    if value not in allowed:
        kind = "an async job" if is_async else "a sync job"
        raise InvalidInput("executor", value, f"{' or '.join(map(repr, allowed))} for {kind}")
    return str(value)


def checked_on_crash(value: object) -> str:
    """Return ``value`` or raise InvalidInput."""
    if value not in ("retry", "fail"):
        raise InvalidInput("on_crash", value, "'retry' or 'fail'")
    return str(value)


def checked_embeddable(value: object) -> bool:
    """Return ``value`` or raise InvalidInput."""
    if not isinstance(value, bool):
        raise InvalidInput("embeddable", value, "True or False")
    return value


def checked_retry(value: object) -> Retry | None:
    """Return ``value`` or raise InvalidInput."""
    if value is not None and not isinstance(value, Retry):
        raise InvalidInput("retry", value, "Retry(max_attempts=..., ...)")
    return value


def checked_tags(tags: object) -> list[str]:
    """Return ``tags`` or raise InvalidInput."""
    if isinstance(tags, str) or not isinstance(tags, Sequence) or len(tags) > MAX_TAGS:
        raise InvalidInput("tags", tags, f"a list of at most {MAX_TAGS} texts")
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG_LENGTH:
            raise InvalidInput("tags", tag, f"texts of 1 to {MAX_TAG_LENGTH} characters")
    return list(tags)


def checked_memory(value: object, executor: str) -> None:
    """Raise InvalidInput for a ceiling that is none, or that this executor can't keep."""
    if executor != "process":
        raise InvalidInput("memory_mb", value, "jobs with executor='process'")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_MEMORY_MB:
        raise InvalidInput("memory_mb", value, f"an integer from 1 to {MAX_MEMORY_MB}")

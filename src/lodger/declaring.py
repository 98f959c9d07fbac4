"""How an app declares its jobs: the decorators of a Lodger object."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import (
    Any,
    Concatenate,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    get_origin,
    overload,
)

from lodger.client.job import Job
from lodger.errors import ConfigurationError, InvalidInput
from lodger.model.arguments import Arguments, Result
from lodger.model.job import ExecutorName, JobSpec, Registry, checked_retry, checked_tags
from lodger.model.retry import Retry
from lodger.model.run import OnCrash
from lodger.worker.attempt.context import Run, SyncRun

P = ParamSpec("P")
R = TypeVar("R")
Awaits: TypeAlias = Coroutine[Any, Any, R]
WithRun: TypeAlias = Callable[Concatenate[Run[Any], P], Awaits[R]]
WithSyncRun: TypeAlias = Callable[Concatenate[SyncRun[Any], P], R]
ResF = TypeVar("ResF", bound=Callable[[], AsyncIterator[Any]])


class JobDecorator(Protocol):
    """What ``Lodger.job(...)`` returns: a leading Run or SyncRun is injected, not an argument."""

    @overload  # those without a run would fit as well: the first that fits is meant
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[Run[Any], P], Awaits[R]]
    ) -> Job[P, R, WithRun[P, R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[SyncRun[Any], P], R]) -> Job[P, R, WithSyncRun[P, R]]: ...
    @overload
    def __call__(self, function: Callable[P, Awaits[R]]) -> Job[P, R, Callable[P, Awaits[R]]]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Job[P, R, Callable[P, R]]: ...


class Declaring:
    """What a Lodger object does before anything runs: it collects the jobs of the app."""

    registry: Registry
    _imports: tuple[str, ...]

    @overload  # as above
    def job(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[Run[Any], P], Awaits[R]], /
    ) -> Job[P, R, WithRun[P, R]]: ...
    @overload
    def job(self, function: Callable[Concatenate[SyncRun[Any], P], R], /) -> Job[P, R, WithSyncRun[P, R]]: ...
    @overload
    def job(self, function: Callable[P, Awaits[R]], /) -> Job[P, R, Callable[P, Awaits[R]]]: ...
    @overload
    def job(self, function: Callable[P, R], /) -> Job[P, R, Callable[P, R]]: ...
    @overload
    def job(
        self,
        function: None = None,
        /,
        *,
        name: str | None = ...,
        queue: str = ...,
        priority: int = ...,
        timeout: float | None = ...,
        executor: ExecutorName | None = ...,
        retry: Retry | None = ...,
        on_crash: OnCrash = ...,
        memory_mb: int | None = ...,
        tags: Sequence[str] = ...,
        embeddable: bool = ...,
    ) -> JobDecorator: ...
    def job(  # noqa: PLR0913 - one keyword per option of a job
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = 0,
        timeout: float | None = None,
        executor: ExecutorName | None = None,
        retry: Retry | None = None,
        on_crash: OnCrash = "retry",
        memory_mb: int | None = None,
        tags: Sequence[str] = (),
        embeddable: bool = True,
    ) -> Any:
        """Register a function as a job: ``@lodger.job``, or ``@lodger.job(queue="mail")``.

        Raises InvalidInput or ConfigurationError naming the bad option.
        """

        def register(function: Callable[..., Any]) -> Any:
            if not callable(function) or inspect.isclass(function):
                raise InvalidInput("job", function, "a function; options have names, as in @lodger.job(queue='mail')")
            is_async = inspect.iscoroutinefunction(function)
            takes_run = _takes_run(function)
            own_name = name or function.__name__
            spec = JobSpec(
                name=own_name,
                function=function,
                arguments=Arguments(function, own_name, skip_first=takes_run),
                result=Result(function),
                is_async=is_async,
                takes_run=takes_run,
                executor=executor or ("asyncio" if is_async else "thread"),
                queue=queue,
                priority=priority,
                timeout=timeout,
                retry=checked_retry(retry) or Retry(),
                on_crash=on_crash,
                memory_mb=memory_mb,
                tags=tuple(checked_tags(tags)),
                embeddable=embeddable,
            )
            self.registry.add(spec)
            return Job(cast("Any", self), spec)

        return register if function is None else register(function)

    def worker_lifespan(self, function: ResF) -> ResF:
        """Register what each worker process enters once, on the loop that runs its jobs: pools, clients."""
        given: object = function  # the check below would narrow the type that we return
        if not inspect.isasyncgenfunction(given):
            raise InvalidInput("worker_lifespan", function, "an async generator function that yields once")
        self.registry.lifespan = function
        return function

    def import_jobs(self) -> None:
        """Import the modules that declare jobs (every worker process does)."""
        for module in self._imports:
            try:
                importlib.import_module(module)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                    raise  # it is there, and imports something that is not
                raise ConfigurationError("imports", module, f"modules; there is no {error.name}") from error


def _takes_run(function: Callable[..., Any]) -> bool:
    """Whether the first parameter is annotated Run or SyncRun; async jobs take Run, plain ones SyncRun."""
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None:
        return False
    annotation = first.annotation
    if isinstance(annotation, str):  # from __future__ import annotations: names may not be resolvable yet
        kind = annotation.partition("[")[0].rpartition(".")[2]
    else:
        kind = getattr(get_origin(annotation) or annotation, "__name__", "")
    if kind not in ("Run", "SyncRun"):
        return False
    wanted = "Run" if inspect.iscoroutinefunction(function) else "SyncRun"
    if kind != wanted:
        raise InvalidInput(f"{function.__name__} parameter {first.name}", kind, wanted)
    return True

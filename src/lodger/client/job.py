"""A job as the app's code sees it: call it, or enqueue it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Unpack

from lodger.client.handle import RunHandle
from lodger.client.options import Options, checked_options, make_run, refuse_tx
from lodger.errors import InvalidInput
from lodger.model.ids import new_id

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from lodger.app import Lodger
    from lodger.model.job import JobSpec
    from lodger.model.run import NewRun

    F = TypeVar("F", bound=Callable[..., Any], default=Callable[..., Any])
    """The job's own function, with the run that ``enqueue`` leaves out."""
else:  # the default is for type checkers: see Job.__class_getitem__
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

ALLOWED_CALLS: Final = "what job.call(...) returns, or job.using(...).call(...), in a list"
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call:
    """A job with its arguments, for ``Lodger.enqueue_many``; it may be enqueued any number of times."""

    run: NewRun
    spec: JobSpec | None


def checked_calls(calls: object) -> list[Call]:
    """Return ``calls`` as a list, or raise InvalidInput before anything is inserted."""
    if not isinstance(calls, Iterable):
        raise InvalidInput("calls", calls, ALLOWED_CALLS)
    given = list(calls)
    for place, call in enumerate(given):
        if not isinstance(call, Call):
            raise InvalidInput(f"calls[{place}]", call, ALLOWED_CALLS)
    return given


def new_runs(calls: Iterable[Call]) -> list[NewRun]:
    """Return a run for each of ``calls``: as often as a call is enqueued, it is another run.

    From here on their ids stay, so that an enqueue whose commit reply was lost can be sent again.
    """
    return [call.run._replace(id=new_id()) for call in calls]


class BoundJob(Generic[P, R]):
    """A job with options for one enqueue: what ``Job.using`` returns."""

    __slots__ = ("_lodger", "_options", "_spec")

    def __init__(self, lodger: Lodger, spec: JobSpec, options: Options) -> None:
        """Join them."""
        self._lodger = lodger
        self._spec = spec
        self._options = options

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Return the call, checked, without enqueueing it."""
        refuse_tx(self._options)
        return self._call(args, kwargs)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        text = self._spec.arguments.dump(args, kwargs)
        meta = self._lodger.meta_for(self._spec.name, self._options.get("meta"))
        return Call(make_run(self._spec.name, self._spec, text, self._options, meta), self._spec)

    def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[R]:
        """Enqueue one run; return its handle (or the holder's of its unique key)."""
        return self._lodger.enqueue_many([self._call(args, kwargs)], tx=self._options.get("tx"))[0]

    async def aenqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[R]:
        """Enqueue one run from async code; return its handle after the commit."""
        handles = await self._lodger.aenqueue_many([self._call(args, kwargs)], tx=self._options.get("tx"))
        return handles[0]


class Job(BoundJob[P, R], Generic[P, R, F]):
    """A registered job. Calling it calls the function; ``enqueue`` has a worker call it."""

    __slots__ = ("__dict__",)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, parameters: Any) -> Any:
            """Let ``Job[[str], int]`` do without the function's type while a program runs, too."""
            given = parameters if isinstance(parameters, tuple) else (parameters,)
            default = () if given[2:] else (Callable[..., Any],)
            return super().__class_getitem__((*given, *default))

    def __init__(self, lodger: Lodger, spec: JobSpec) -> None:
        """Wrap ``spec``."""
        super().__init__(lodger, spec, {})
        self.__wrapped__ = spec.function
        self.__doc__ = spec.function.__doc__
        self.__name__ = spec.function.__name__

    @property
    def __call__(self) -> F:
        """Call the job's own function, here and now (a property, so that the call has the function's own type)."""
        return self.function

    def __repr__(self) -> str:
        """Return the job's name."""
        return f"Job({self.name})"

    @property
    def name(self) -> str:
        """Return the name under which it is stored."""
        return self._spec.name

    @property
    def function(self) -> F:
        """Return the job's own function."""
        return self._spec.function  # type: ignore[return-value]

    def using(self, **options: Unpack[Options]) -> BoundJob[P, R]:
        """Return the job with options for one enqueue; they never mix with the job's own arguments."""
        return BoundJob(self._lodger, self._spec, checked_options(options))


class NamedJob:
    """A job whose code is not installed here, by its name. Its arguments are checked where it runs."""

    __slots__ = ("_lodger", "_options", "name")

    def __init__(self, lodger: Lodger, name: str, options: Options) -> None:
        """Keep the name and the options."""
        self._lodger = lodger
        self._options = options
        self.name = name

    def using(self, **options: Unpack[Options]) -> NamedJob:
        """Return the job with more options for one enqueue."""
        return NamedJob(self._lodger, self.name, checked_options({**self._options, **options}))

    def call(self, /, *args: Any, **kwargs: Any) -> Call:
        """Return the call without enqueueing it; arguments are JSON values."""
        refuse_tx(self._options)
        return self._call(args, kwargs)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        text = self._lodger.plain_arguments(self.name, args, kwargs)
        meta = self._lodger.meta_for(self.name, self._options.get("meta"))
        return Call(make_run(self.name, None, text, self._options, meta), None)

    def enqueue(self, /, *args: Any, **kwargs: Any) -> RunHandle[Any]:
        """Enqueue one run."""
        return self._lodger.enqueue_many([self._call(args, kwargs)], tx=self._options.get("tx"))[0]

    async def aenqueue(self, /, *args: Any, **kwargs: Any) -> RunHandle[Any]:
        """Enqueue one run from async code."""
        handles = await self._lodger.aenqueue_many([self._call(args, kwargs)], tx=self._options.get("tx"))
        return handles[0]

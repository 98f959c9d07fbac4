"""Call a job's function once, inside its middleware, and return how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from lodger.errors import InvalidArguments
from lodger.failpoints import failpoint
from lodger.model.job import Registry
from lodger.model.outcome import Ending
from lodger.worker.attempt import endings
from lodger.worker.attempt.context import Desk, Run, SyncRun
from lodger.worker.attempt.live import LiveRun, current


async def invoke_async(live: LiveRun, registry: Registry, desk: Desk, res: Any) -> Ending:
    """Run an async job's attempt."""
    token = current.set(live)
    process = os.getpid()
    try:
        failpoint("attempt.before_start")
        live.flight.run(live.seat)
        args, kwargs = live.spec.arguments.load(live.claimed.args)  # the app's validators may run here
        if live.spec.takes_run or registry.middleware:
            run: Run[Any] = Run(live, desk, res)
            args = (run, *args) if live.spec.takes_run else args
            with _surroundings(registry, run):
                value = await live.spec.function(*args, **kwargs)
        else:
            value = await live.spec.function(*args, **kwargs)
        _end_fork(process)
        return endings.returned(live, value)
    except InvalidArguments as error:
        _end_fork(process, error)
        return endings.misfit(error) if _ours(error) else endings.raised(live, error)
    except BaseException as error:  # noqa: BLE001 - every end of a job is an answer
        _end_fork(process, error)
        return _ended(live, error)
    finally:
        live.flight.begin(live.seat)
        current.reset(token)


def invoke_sync(live: LiveRun, registry: Registry, desk: Desk, res: Any, entered: Callable[[], None]) -> Ending:
    """Run a plain job's attempt; ``entered`` is called just before the job's own code."""
    token = current.set(live)
    process = os.getpid()
    try:
        failpoint("attempt.before_start")
        live.flight.run(live.seat)
        args, kwargs = live.spec.arguments.load(live.claimed.args)
        entered()
        if live.spec.takes_run or registry.middleware:
            run: SyncRun[Any] = SyncRun(live, desk, res)
            args = (run, *args) if live.spec.takes_run else args
            with _surroundings(registry, run):
                value = live.spec.function(*args, **kwargs)
        else:
            value = live.spec.function(*args, **kwargs)
        _end_fork(process)
        return endings.returned(live, value)
    except InvalidArguments as error:
        _end_fork(process, error)
        return endings.misfit(error) if _ours(error) else endings.raised(live, error)
    except BaseException as error:  # noqa: BLE001 - every end of a job is an answer
        _end_fork(process, error)
        return _ended(live, error)
    finally:
        live.flight.begin(live.seat)
        current.reset(token)


def _end_fork(process: int, error: BaseException | None = None) -> None:
    """End a child that the job has forked and that came back from it: it would go on as a second worker."""
    if os.getpid() == process:
        return
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        os._exit(error.code or 0)
    os._exit(0 if error is None else 1)


def _surroundings(registry: Registry, run: Any) -> ExitStack:
    """Return the middlewares' contexts as one, the first middleware outermost."""
    stack = ExitStack()
    try:
        for middleware in registry.middleware:
            stack.enter_context(middleware.around_attempt(run))
    except BaseException:
        stack.close()
        raise
    return stack


def _ended(live: LiveRun, error: BaseException) -> Ending:
    if endings.is_lost(error):
        live.lost = True
    return endings.raised(live, error)


def _ours(error: InvalidArguments) -> bool:
    """Whether the run's own arguments did not fit (and not those of a run that the job enqueued)."""
    frame = error.__traceback__.tb_next if error.__traceback__ else None
    return frame is not None and frame.tb_frame.f_code.co_name == "load"

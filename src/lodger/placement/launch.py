"""Build the supervisor of a worker, wherever it lives: child and thread (embedded), separate."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from lodger.errors import ConfigurationError
from lodger.model.job import Registry
from lodger.placement.fit import fitted, is_embedded, left_to_separate
from lodger.processes.spawn import INSIDE_WORKER
from lodger.settings import Settings
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.supervisor.engines import EngineHandle, ProcessEngine, ThreadEngine
from lodger.supervisor.plan import Plan
from lodger.supervisor.supervisor import Supervisor
from lodger.worker.engine import Engine, Identity
from lodger.worker.loading import WHERE, import_path
from lodger.worker.size import seats_for

Placement: TypeAlias = Literal["child", "thread", "separate"]


def inside_worker() -> bool:
    """Whether this process belongs to a worker."""
    return INSIDE_WORKER in os.environ


def make_supervisor(placement: Placement, settings: Settings, url: str, registry: Registry | None = None) -> Supervisor:
    """Return the supervisor of a worker; ``registry`` is needed for thread placement only."""
    if placement != "thread" and not settings.app:
        raise ConfigurationError("LODGER_APP", settings.app, WHERE + " (or Lodger(app=...))")
    settings = fitted(settings, placement)
    database = open_database(url, settings, pool_size=3)
    start_engine: Callable[[str, int], EngineHandle]
    if placement == "thread":
        assert registry is not None
        start_engine = _thread_starter(settings, url, registry)
    else:
        start_engine = _process_starter(placement, settings, url)
    guest = is_embedded(placement)
    return Supervisor(
        Plan(
            settings=settings,
            database=database,
            placement=placement,
            engines=1 if guest else settings.processes,
            start_engine=start_engine,
            leaves=left_to_separate(settings) if guest else frozenset(),
        )
    )


def open_database(url: str, settings: Settings, *, pool_size: int) -> Database:
    """Return the database with Lodger's tables as the settings name them."""
    return Database(url, tables=Tables(settings.prefix, settings.schema or None), pool_size=pool_size)


def _process_starter(placement: Placement, settings: Settings, url: str) -> Callable[[str, int], EngineHandle]:
    def start(worker: str, number: int) -> EngineHandle:
        return ProcessEngine(number, {**message, "worker": worker}, seats_for(settings))

    message = {**child_message(settings, url, placement), "placement": placement, "settings": settings.to_json()}
    return start


def _thread_starter(settings: Settings, url: str, registry: Registry) -> Callable[[str, int], EngineHandle]:
    def start(worker: str, number: int) -> EngineHandle:
        def make(number: int) -> Engine:
            return Engine(
                registry=registry.embeddable(),
                database=Database(url, tables=Tables(settings.prefix, settings.schema or None)),
                settings=settings,
                identity=Identity(worker=worker, number=number, owns_process=False),
                child_message=child_message(settings, url, "thread"),
            )

        return ThreadEngine(number, make)

    return start


def child_message(settings: Settings, url: str, placement: Placement) -> dict[str, Any]:
    """Return what every process of the worker is told first. The URL travels here, not on a command line."""
    return {
        "app": settings.app,
        "path": import_path(),
        "url": url,
        "tables": {"prefix": settings.prefix, "schema": settings.schema or None},
        "priority": settings.job_priority if is_embedded(placement) else "normal",
    }

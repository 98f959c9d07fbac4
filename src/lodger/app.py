"""Lodger: the object an app declares its jobs on. It knows everyone; nobody knows it."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack

from lodger import settings as settings_module
from lodger.client.handle import RunHandle
from lodger.client.job import Call, NamedJob, checked_calls, new_runs
from lodger.client.options import Options, checked_options
from lodger.client.schedules import ScheduleDesk, Scheduling
from lodger.declaring import Declaring
from lodger.errors import InvalidInput
from lodger.model.arguments import POSITIONAL
from lodger.model.job import NAME, Registry, checked_name
from lodger.model.middleware import Middleware
from lodger.model.payload import encode
from lodger.model.run import Attempt, LogLine, RunRecord
from lodger.model.status import Status

if TYPE_CHECKING:
    from lodger.client.gateway import Gateway
    from lodger.client.orphans import OrphanWatch
    from lodger.client.outbox import Outbox
    from lodger.model.schedule import ScheduleSpec
    from lodger.placement.embedded import Embedded
    from lodger.placement.serving import Serving
    from lodger.scheduler.declarer import WebDeclarer
    from lodger.store.database import Database
    from lodger.wake.announcer import Announcer

logger: Final = logging.getLogger("lodger.placement")

AppT = TypeVar("AppT")
Lifespan = Callable[[AppT], AbstractAsyncContextManager[Any]]


class Lodger(Declaring, Scheduling):
    """Registers jobs and schedules, enqueues runs, carries the embedded worker.

    ``url``: the database; else DATABASE_URL. ``app``: where this object is, as package.module:name, so that
    worker processes can import it; else LODGER_APP. ``imports``: modules that declare more jobs. Further
    keywords are settings (see docs/settings.md). Nothing is opened before it is needed.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        app: str | None = None,
        imports: Sequence[str] = (),
        middleware: Sequence[Middleware] = (),
        **settings: Any,
    ) -> None:
        """Read the settings; connect to nothing."""
        self._url = url
        self._imports = tuple(imports)
        self.settings = settings_module.read({"app": app, **settings})
        self.registry = Registry(tuple(middleware))
        self._serving: Serving | None = None

    # enqueueing

    def by_name(self, name: str, **options: Unpack[Options]) -> NamedJob:
        """Return a job whose code need not be installed here."""
        return NamedJob(self, checked_name("job name", name, NAME), checked_options(options))

    def enqueue_many(self, calls: Iterable[Call], *, tx: object = None) -> list[RunHandle[Any]]:
        """Enqueue many calls in one commit (in ``tx``: the app's own); return their handles in order."""
        calls = checked_calls(calls)
        runs = new_runs(calls)
        if not runs:
            return []
        inserted = self._outbox.insert(runs) if tx is None else self._outbox.insert_in(tx, runs)
        return self._handles(calls, inserted)

    async def aenqueue_many(self, calls: Iterable[Call], *, tx: object = None) -> list[RunHandle[Any]]:
        """Enqueue many calls from async code; all callers that wait at the moment share one commit."""
        calls = checked_calls(calls)
        runs = new_runs(calls)
        if not runs:
            return []
        outbox = self._outbox
        inserted = await (outbox.ainsert(runs) if tx is None else outbox.ainsert_in(tx, runs))
        return self._handles(calls, inserted)

    def meta_for(self, job: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the meta of a new run: what was given, and what the middleware fills in."""
        if given is not None and not isinstance(given, Mapping):
            raise InvalidInput("meta", given, "a dict with text keys and JSON values")
        meta = dict(given or {})
        for middleware in self.registry.middleware:
            middleware.on_enqueue(job, meta)
        return meta

    @staticmethod
    def plain_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return JSON arguments as text, for a job whose signature is not known here."""
        stored = {**kwargs, POSITIONAL: list(args)} if args else dict(kwargs)
        return encode(stored, f"{name} arguments")

    def _handles(self, calls: Sequence[Call], inserted: Sequence[Any]) -> list[RunHandle[Any]]:
        gateway = self._gateway
        return [
            RunHandle(
                gateway,
                made.id,
                call.run.job,
                call.run.queue,
                created=made.created,
                result=call.spec.result if call.spec else None,
            )
            for call, made in zip(calls, inserted, strict=True)
        ]

    # asking and acting

    def get_run(self, run_id: object) -> RunRecord:
        """Return a run by id; raises RunNotFound."""
        return self._gateway.get(str(run_id))

    async def aget_run(self, run_id: object) -> RunRecord:
        """Return a run by id; raises RunNotFound."""
        return await self._gateway.aget(str(run_id))

    def handle(self, run_id: object) -> RunHandle[Any]:
        """Return the handle of a run by id; raises RunNotFound."""
        run = self._gateway.get(str(run_id))
        spec = self.registry.jobs.get(run.job)
        result = spec.result if spec else None
        return RunHandle(self._gateway, run.id, run.job, run.queue, created=False, result=result)

    def attempts(self, run_id: object) -> list[Attempt]:
        """Return the attempts of a run, oldest first; a first success is told by the run alone."""
        return self._gateway.attempts(str(run_id))

    def log(self, run_id: object) -> list[LogLine]:
        """Return what a run has logged."""
        return self._gateway.log(str(run_id))

    def cancel(self, run_id: object, *, force: bool = False) -> Status:
        """Cancel a run; see RunHandle.cancel."""
        return self._gateway.cancel(str(run_id), force=force)

    async def acancel(self, run_id: object, *, force: bool = False) -> Status:
        """Cancel a run; see RunHandle.cancel."""
        return await self._gateway.acancel(str(run_id), force=force)

    def retry(self, run_id: object) -> None:
        """Queue an ended run again with one more attempt."""
        self._gateway.retry(str(run_id))

    async def aretry(self, run_id: object) -> None:
        """Queue an ended run again with one more attempt."""
        await self._gateway.aretry(str(run_id))

    def pause(self, queue: str) -> None:
        """Stop claims from a queue; what runs goes on, enqueueing too."""
        self._gateway.pause(queue)

    def resume(self, queue: str) -> None:
        """Let a paused queue be claimed again."""
        self._gateway.resume(queue)

    def migrate(self) -> list[int]:
        """Create or upgrade Lodger's tables; return the versions applied."""
        from lodger.store import migrations

        return migrations.migrate(self.database)

    def _open_schedules(self) -> tuple[ScheduleDesk, Gateway]:
        return ScheduleDesk(self.database, self._announcer), self._gateway

    # the database and the embedded worker

    @property
    def url(self) -> str | None:
        """Return the database's URL as configured, None when there is none."""
        return self._url or os.environ.get("DATABASE_URL")

    @cached_property
    def database(self) -> Database:
        """Return the database; raises DatabaseUrlMissing when nobody named one."""
        from lodger.store.database import Database
        from lodger.store.sql import Tables

        # A web server's threads (40 by default in Starlette) may enqueue at once; connections open as needed.
        return Database(
            self.url,  # type: ignore[arg-type]  # None is refused by name
            tables=Tables(self.settings.prefix, self.settings.schema or None),
            pool_size=10,
        )

    @cached_property
    def _outbox(self) -> Outbox:
        from lodger.client.outbox import Outbox

        return Outbox(self.database, self._announcer, self._orphans)

    @cached_property
    def _orphans(self) -> OrphanWatch | None:
        """Return who warns of work that no worker serves; None in tests, where no worker is expected."""
        from lodger.client.orphans import OrphanWatch
        from lodger.placement.mode import is_test

        return None if is_test(self.settings) else OrphanWatch(self.database, self.settings)

    @cached_property
    def _gateway(self) -> Gateway:
        from lodger.client.gateway import Gateway

        return Gateway(self.database, self._announcer)

    @cached_property
    def _announcer(self) -> Announcer:
        from lodger.wake.announcer import Announcer

        return Announcer(self.database)

    def close(self) -> None:
        """Announce what waits and close all connections; use opens new ones. The lifespan ends with it."""
        names = ("_outbox", "_orphans", "_announcer", "database")
        outbox, orphans, announcer, database = (self.__dict__.pop(name, None) for name in names)
        self.__dict__.pop("_gateway", None)
        for opened in (outbox, orphans, announcer):
            if opened is not None:
                opened.close()
        if database is not None:
            database.dispose()

    def lifespan(self, inner: Lifespan[AppT] | None = None) -> Lifespan[AppT]:
        """Return a lifespan for an ASGI app, around the app's own ``inner``, with the embedded worker inside."""

        @asynccontextmanager
        async def wrapped(app: AppT) -> AsyncIterator[Any]:
            worker = self._embedded()
            if worker is not None:
                worker.start()
            declarer = self._declarer()
            try:
                if inner is None:
                    yield None
                else:
                    async with inner(app) as state:
                        yield state
            finally:
                import asyncio  # half of the import time of a process that has no loop

                await asyncio.to_thread(self._end, worker, declarer)

        return wrapped

    @contextmanager
    def embedded(self) -> Iterator[None]:
        """Carry the embedded worker around a block, for scripts: it ends with the block, its jobs within the grace."""
        worker = self._embedded()
        if worker is not None:
            worker.start()
        declarer = self._declarer()
        try:
            yield
        finally:
            self._end(worker, declarer, drain=True)

    def start_embedded(self) -> None:
        """Carry the embedded worker from now to the end of this process: for WSGI apps, where they are imported.

        A server that imports the app before it forks its web processes (gunicorn --preload) is understood: they
        carry it, not their master. A second call does nothing.
        """
        if self._serving is None:
            from lodger.placement.serving import Serving

            self._serving = Serving(self._embedded)
            self._serving.begin()
            self._declarer()

    def _end(self, worker: Embedded | None, declarer: WebDeclarer | None, *, drain: bool = False) -> None:
        if declarer is not None:
            declarer.stop()
        if worker is not None:
            worker.stop(drain=drain)
        self.close()

    def _declarer(self) -> WebDeclarer | None:
        """Begin to write the schedules of this web process, so that they are seen though no worker ever starts."""
        from lodger.placement.mode import may_embed

        asks = self._must_ask()
        if not self.url or not may_embed(self.settings) or not (asks or self.registry.schedules):
            return None
        from lodger.scheduler.declarer import WebDeclarer
        from lodger.store.database import Database

        orphans = self._orphans

        def declared() -> Sequence[ScheduleSpec]:
            from lodger.worker.declared import declared_by

            schedules = declared_by(self.settings.app).schedules if asks else list(self.registry.schedules.values())
            if schedules and orphans is not None:  # a service that only has schedules enqueues nothing itself
                orphans.mind_schedules()
            return schedules

        declarer = WebDeclarer(Database(self.url, tables=self.database.tables, pool_size=1), declared)
        declarer.start()
        return declarer

    def _must_ask(self) -> bool:
        """Whether schedules may be declared in modules that no part of this web service imports: it has no worker.

        They are imported in another process: this one may be about to fork, and to import nothing but what it serves.
        """
        from lodger.placement.mode import read_mode
        from lodger.scheduler.mode import read_schedule_mode

        carries_none = read_mode(os.environ) == "off" and read_schedule_mode(os.environ) != "on"
        return carries_none and bool(self._imports and self.settings.app)

    def _lay_tables(self) -> None:
        """Make the tables in a file of SQLite's, as a worker would: it may come later, or never."""
        try:
            self.migrate()
        except Exception as error:  # noqa: BLE001 - the site goes on; an enqueue will say what is wrong
            logger.error("%s: no tables could be made: %s", self.database.url.safe, error)  # noqa: TRY400

    def _embedded(self) -> Embedded | None:
        """Return the embedded worker that the environment asks for, None if it asks for none."""
        from lodger.placement.mode import may_embed, read_mode, refuse_unfit_server
        from lodger.scheduler.mode import read_schedule_mode
        from lodger.store.url import parse

        mode, schedules = read_mode(os.environ), read_schedule_mode(os.environ)
        if mode == "off" and may_embed(self.settings):
            url = parse(self.url)  # what is enqueued needs a database, too: say so now, not with the first request
            if url.dialect == "sqlite":
                self._lay_tables()
        if not may_embed(self.settings) or (mode == "off" and schedules != "on"):
            logger.info("role=web placement=none pid=%d: no embedded worker in this process", os.getpid())
            return None
        refuse_unfit_server()
        from lodger.placement.embedded import Embedded

        return Embedded(mode, schedules, self.settings, self.url, self.registry, self.import_jobs)

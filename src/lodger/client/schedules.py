"""Questions and orders about schedules, from sync and async code. Async calls go through a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

from lodger.errors import InvalidInput
from lodger.model.ids import new_id
from lodger.model.job import checked_name
from lodger.model.schedule import SCHEDULE_ID, Misfire, Overlap, ScheduleRecord, ScheduleSpec, make_spec
from lodger.model.timetable import Timetable, checked_timetable

if TYPE_CHECKING:
    from lodger.client.gateway import Gateway
    from lodger.client.handle import RunHandle
    from lodger.client.job import Call
    from lodger.model.job import Registry
    from lodger.model.run import Inserted, NewRun
    from lodger.store.database import Database
    from lodger.wake.announcer import Announcer

P = ParamSpec("P")
R = TypeVar("R")

ALLOWED: Final = "a job that needs no arguments, or job.call(...), job.using(...).call(...)"


class NeedsNoArguments(Protocol):
    """A job, or a job with options, that can be called without arguments."""

    def call(self) -> Call:
        """Return the call."""


class ScheduleDesk:
    """Acts on the rows of schedules; needs no app, so the command line uses it too."""

    def __init__(self, database: Database, announcer: Announcer) -> None:
        """Use ``database``; tell ``announcer`` of runs that were created by hand."""
        self._database = database
        self._announcer = announcer

    def listing(self) -> list[ScheduleRecord]:
        """Return all schedules, by id."""
        from lodger.store import schedules

        with self._database.connect() as conn:
            return schedules.listing(conn)

    def get(self, schedule: object) -> ScheduleRecord:
        """Return one schedule; raise ScheduleNotFound."""
        from lodger.store import schedules

        key = _checked(schedule)
        with self._database.connect() as conn:
            return schedules.get(conn, key)

    def store(self, spec: ScheduleSpec) -> ScheduleRecord:
        """Put a schedule, new or changed; return it as it stands. Raises ScheduleDeclared."""
        from lodger.store import schedules

        self._database.transact(lambda conn: schedules.store(conn, spec))
        return self.get(spec.id)

    def pause(self, schedule: object) -> None:
        """Pause; raises ScheduleNotFound."""
        from lodger.store import schedules

        key = _checked(schedule)
        self._database.transact(lambda conn: schedules.pause(conn, key))

    def resume(self, schedule: object) -> None:
        """Resume; raises ScheduleNotFound."""
        from lodger.store import schedules

        key = _checked(schedule)
        self._database.transact(lambda conn: schedules.resume(conn, key))

    def delete(self, schedule: object) -> None:
        """Delete; raises ScheduleNotFound, ScheduleDeclared."""
        from lodger.store import schedules

        key = _checked(schedule)
        self._database.transact(lambda conn: schedules.delete(conn, key))

    def run(self, schedule: object) -> tuple[NewRun, Inserted]:
        """Create a run at once; raises ScheduleNotFound."""
        from lodger.store import schedules

        key, run_id = _checked(schedule), new_id()
        run, inserted = self._database.transact(lambda conn: schedules.run_now(conn, key, run_id))
        self._announcer.announce({run.queue})
        return run, inserted


def _checked(schedule: object) -> str:
    return checked_name("schedule id", schedule, SCHEDULE_ID)


class Scheduling:
    """What a Lodger object does about schedules."""

    registry: Registry

    def _open_schedules(self) -> tuple[ScheduleDesk, Gateway]:
        """Return what acts on schedules, and what on their runs."""
        raise NotImplementedError

    @property
    def _desk(self) -> ScheduleDesk:
        return self._open_schedules()[0]

    def _handle_of(self, run: NewRun, inserted: Inserted) -> RunHandle[Any]:
        from lodger.client.handle import RunHandle

        gateway = self._open_schedules()[1]
        spec = self.registry.jobs.get(run.job)
        result = spec.result if spec else None
        return RunHandle(gateway, inserted.id, run.job, run.queue, created=inserted.created, result=result)

    def schedule(
        self,
        job: NeedsNoArguments | Call,
        timetable: Timetable,
        *,
        id: str,  # noqa: A002 - the word that users write
        overlap: Overlap = "allow",
        misfire: Misfire = "latest",
        jitter_seconds: float = 0.0,
    ) -> None:
        """Declare a schedule in code: ``schedule(digest, Cron("0 3 * * *", timezone="Europe/Berlin"), id="digest")``.

        ``job``: a job that needs no arguments, or a call: ``digest.using(queue="mail").call(7)``. It fires while a live
        worker or ``lodger scheduler`` declares it. ``overlap="skip"`` leaves out an instant while the schedule's last
        run has not ended. ``misfire`` says what becomes of instants that passed while nobody was there to fire them:
        the latest of them, that one unless it is late (LODGER_MISFIRE_SECONDS), or all (at most 100).
        ``jitter_seconds`` delays each run by up to so much, the same for whoever fires it. Raises InvalidInput.
        """
        options = {"overlap": overlap, "misfire": misfire, "jitter_seconds": jitter_seconds}
        self.registry.add_schedule(_spec(job, timetable, id, options))

    def store_schedule(
        self,
        job: NeedsNoArguments | Call,
        timetable: Timetable,
        *,
        id: str,  # noqa: A002 - the word that users write
        overlap: Overlap = "allow",
        misfire: Misfire = "latest",
        jitter_seconds: float = 0.0,
    ) -> ScheduleRecord:
        """Store a schedule at run time, or change the stored one of this id in place; see ``schedule``.

        It stays until it is deleted. Raises InvalidInput, and ScheduleDeclared when code declares the id.
        """
        options = {"overlap": overlap, "misfire": misfire, "jitter_seconds": jitter_seconds}
        return self._desk.store(_spec(job, timetable, id, options))

    async def astore_schedule(
        self,
        job: NeedsNoArguments | Call,
        timetable: Timetable,
        *,
        id: str,  # noqa: A002 - the word that users write
        overlap: Overlap = "allow",
        misfire: Misfire = "latest",
        jitter_seconds: float = 0.0,
    ) -> ScheduleRecord:
        """Store a schedule at run time; see ``store_schedule``."""
        options = {"overlap": overlap, "misfire": misfire, "jitter_seconds": jitter_seconds}
        return await _in_thread(self._desk.store, _spec(job, timetable, id, options))

    def schedules(self) -> list[ScheduleRecord]:
        """Return all schedules, declared and stored, by id."""
        return self._desk.listing()

    async def aschedules(self) -> list[ScheduleRecord]:
        """Return all schedules, declared and stored, by id."""
        return await _in_thread(self._desk.listing)

    def get_schedule(self, schedule_id: str) -> ScheduleRecord:
        """Return a schedule by id; raises ScheduleNotFound."""
        return self._desk.get(schedule_id)

    async def aget_schedule(self, schedule_id: str) -> ScheduleRecord:
        """Return a schedule by id; raises ScheduleNotFound."""
        return await _in_thread(self._desk.get, schedule_id)

    def pause_schedule(self, schedule_id: str) -> None:
        """Let a schedule fire no more until it is resumed. Raises ScheduleNotFound."""
        self._desk.pause(schedule_id)

    async def apause_schedule(self, schedule_id: str) -> None:
        """Let a schedule fire no more until it is resumed. Raises ScheduleNotFound."""
        await _in_thread(self._desk.pause, schedule_id)

    def resume_schedule(self, schedule_id: str) -> None:
        """Let a schedule fire again, from now on. Raises ScheduleNotFound."""
        self._desk.resume(schedule_id)

    async def aresume_schedule(self, schedule_id: str) -> None:
        """Let a schedule fire again, from now on. Raises ScheduleNotFound."""
        await _in_thread(self._desk.resume, schedule_id)

    def run_schedule(self, schedule_id: str) -> RunHandle[Any]:
        """Create a run of a schedule at once, beside its timetable, paused or not. Raises ScheduleNotFound."""
        return self._handle_of(*self._desk.run(schedule_id))

    async def arun_schedule(self, schedule_id: str) -> RunHandle[Any]:
        """Create a run of a schedule at once; see ``run_schedule``."""
        return self._handle_of(*await _in_thread(self._desk.run, schedule_id))

    def delete_schedule(self, schedule_id: str) -> None:
        """Delete a stored schedule, or one that code has declared and no live process declares any more.

        Its runs stay. Raises ScheduleNotFound, and ScheduleDeclared while code declares it.
        """
        self._desk.delete(schedule_id)

    async def adelete_schedule(self, schedule_id: str) -> None:
        """Delete a stored schedule; see ``delete_schedule``."""
        await _in_thread(self._desk.delete, schedule_id)


def _spec(job: Any, timetable: object, schedule_id: object, options: dict[str, Any]) -> ScheduleSpec:
    from lodger.client.job import BoundJob, Call, NamedJob

    if not isinstance(job, BoundJob | NamedJob | Call):
        raise InvalidInput("job", job, ALLOWED)
    checked = checked_timetable(timetable)
    call = job if isinstance(job, Call) else job.call()
    return make_spec(call.run, checked, id=schedule_id, **options)


async def _in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    import asyncio

    return await asyncio.to_thread(work, *args, **kwargs)

"""The worker inside a web service: started and stopped with it, never able to take it down.

Each web process that enters the lifespan has one of these, in a thread; the elected one carries the worker.

    stand for election ──elected──▶ govern: worker, or stand by (auto) ──told to stop──▶ end
                                                                                          │
              all of the service stops    drain: jobs have the grace    ◀─────────────────┤
              only this process           hand over: jobs go on without us, a sibling is  │
              (recycled, reloaded)        elected                       ◀─────────────────┘

Which of the two it is nobody tells us. Siblings do: when all of a service stops, all of its processes hear of it within
moments, and say so on the roll.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Final

from lodger.errors import ConfigurationError
from lodger.model.job import Registry
from lodger.placement.auto import Own
from lodger.placement.election import Election, glance, stand
from lodger.placement.governor import Governor
from lodger.placement.launch import Placement, make_supervisor, open_database
from lodger.placement.mode import Mode
from lodger.placement.signals import SignalChain
from lodger.processes.clock import clock
from lodger.processes.forking import is_child
from lodger.scheduler.daemon import Daemon, make_daemon
from lodger.scheduler.mode import ScheduleMode, carries_daemon
from lodger.settings import Settings
from lodger.store import migrations
from lodger.store.url import parse
from lodger.supervisor.supervisor import Supervisor
from lodger.supervisor.wishes import DRAIN_EXTRA_SECONDS
from lodger.trouble import Trouble
from lodger.worker.declared import Inquiry
from lodger.worker.loading import WHERE

logger: Final = logging.getLogger("lodger.placement")

ELECTION_SECONDS: Final = 1.0
SIBLINGS_SECONDS: Final = 1.0
"""How long a whole service may take until all of its processes have heard that it stops."""
GLANCE_SECONDS: Final = 0.05
MEANWHILE: Final = {
    False: "the embedded worker runs beside separate ones",
    True: "this process neither stands by nor declares the schedules of modules that it has not imported",
}
"""What follows as long as the app can't be imported; True: with a schedule daemon in any case."""
HAND_OVER_SECONDS: Final = 5.0
TOLD: Final = {"signal": b"\0", "end": b"e", "drain": b"d"}
"""What is written to the pipe: a signal came; the server ends this process; the program wants the worker ended."""


class Embedded:
    """The embedded worker of one web process."""

    def __init__(
        self,
        mode: Mode,
        schedules: ScheduleMode,
        settings: Settings,
        url: str | None,
        registry: Registry,
        import_jobs: Callable[[], None],
    ) -> None:
        """Refuse at once what can never work: no database, no place to import the app from."""
        self._import_jobs = import_jobs
        self._mode = mode
        self._schedules = schedules
        self._settings = settings
        self._url = url or ""
        self._registry = registry
        self._shown = parse(url)
        self._cargo = "daemon" if mode == "off" else "worker"
        if mode in {"auto", "child"} and not settings.app:
            raise ConfigurationError("LODGER_APP", settings.app, WHERE + " (or Lodger(app=...))")
        self._owner = os.getpid()
        self._database = open_database(self._url, settings, pool_size=1)
        self._governor: Governor | None = None
        self._daemon: Daemon | None = None
        self._inquiry = Inquiry(settings.app, meanwhile=MEANWHILE[schedules == "on"], nice=settings.nice)
        self._election: Election | None = None
        self._is_declared = False
        self._is_prepared = False
        self._trouble = Trouble(logger, "embedded worker")
        self._ear = self._mouth = -1
        self._thread = threading.Thread(target=self._main, name="lodger-embedded", daemon=True)

    def start(self) -> None:
        """Stand for election, in the background."""
        self._ear, self._mouth = os.pipe()
        for end in (self._ear, self._mouth):
            os.set_blocking(end, False)
        self._signals = SignalChain(self._mouth)
        self._signals.install()
        self._thread.start()
        logger.info(
            "role=web placement=%s schedules=%s queues=%s database=%s pid=%d signals=%s",
            *(self._mode, self._schedules, ",".join(self._settings.queues) or "all", self._shown.dialect),
            *(self._owner, f"the web server's; {', '.join(self._signals.heard) or 'none'} heard"),
        )

    def has_children(self) -> bool:
        """Whether processes that this one has forked stand for election."""
        return any(is_child(peer.pid) for peer in glance(self._database, self._settings, self._cargo))

    def stop(self, *, drain: bool = False) -> None:
        """End; returns within the grace and a few seconds. ``drain``: nothing shall go on without this process."""
        if os.getpid() != self._owner or self._mouth < 0:
            return  # in a forked child: it is our parent's; or it has ended
        self._tell("drain" if drain else "end")
        self._thread.join(self._settings.grace_seconds + 2 * DRAIN_EXTRA_SECONDS + SIBLINGS_SECONDS)
        self._signals.remove()
        if not self._thread.is_alive():
            for end in (self._ear, self._mouth):
                os.close(end)
            self._ear = self._mouth = -1

    def _tell(self, what: str) -> None:
        with suppress(BlockingIOError):
            os.write(self._mouth, TOLD[what])

    # the thread

    def _main(self) -> None:
        self._election = stand(open_database(self._url, self._settings, pool_size=1), self._settings, self._cargo)
        told = b""
        try:
            while not told:
                told = self._heard(self._turn())
        finally:
            self._end(told)

    def _heard(self, seconds: float) -> bytes:
        """Wait so long; return what was said meanwhile."""
        if not wait([self._ear], seconds):
            return b""
        return os.read(self._ear, 64)

    def _turn(self) -> float:
        """Do what an elected process does; never raises: no trouble of ours may be the web server's."""
        assert self._election is not None
        try:
            self._prepare()
            if not self._election.carry(self._governor.worker_id if self._governor else ""):
                self._step_back()
                return ELECTION_SECONDS
            self._have_daemon()
            seconds = self._governor.turn() if self._governor else ELECTION_SECONDS
        except Exception as error:  # noqa: BLE001 - see above
            self._trouble.note(error)
            return ELECTION_SECONDS
        self._trouble.end()
        return min(seconds, ELECTION_SECONDS)

    def _prepare(self) -> None:
        """See to it that the tables are there (on SQLite they are made), and the jobs that run in here."""
        if self._is_prepared:
            return
        if self._settings.migrate or self._database.dialect == "sqlite":
            migrations.migrate(self._database)
        migrations.check(self._database)
        if self._mode == "thread":
            self._import_jobs()
        if self._mode != "off":
            own = self._own() if self._mode == "auto" else None
            self._governor = Governor(self._make_worker, own, self._database, self._ask_jobs)
        self._is_prepared = True

    def _step_back(self) -> None:
        """Another process carries: what we may have had is not ours any more."""
        if self._governor is not None:
            self._governor.retire()
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.request_stop()

    # what the elected process has

    def _own(self) -> Own:
        return Own(
            environment=self._settings.environment,
            jobs=None,  # the governor asks for them when they matter
            queues=self._settings.queues,
            separate_queues=self._settings.separate_queues,
            beat_seconds=self._settings.beat_seconds,
            takeover_seconds=self._settings.takeover_seconds,
        )

    def _ask_jobs(self) -> Mapping[str, str] | None:
        """Return the jobs that an embedded worker would have; None while another process is being asked.

        This one imports no more than it serves: job modules are heavy, and their import would hold up requests.
        """
        declared = self._inquiry.ask()
        return declared.jobs if declared else None

    def _make_worker(self) -> Supervisor:
        placement: Placement = "thread" if self._mode == "thread" else "child"
        worker = make_supervisor(placement, self._settings, self._url, self._registry)
        if self._schedules == "auto" and carries_daemon(self._schedules, has_worker=True):
            worker.carry(self._make_daemon())
        logger.info("role=web+worker placement=%s pid=%d: this process carries the worker", placement, self._owner)
        return worker

    def _have_daemon(self) -> None:
        """Carry a schedule daemon whether or not there is a worker, if that is what was said."""
        if self._schedules == "on" and self._daemon is None:
            daemon = self._make_daemon()
            daemon.start()
            self._daemon = daemon
            self._is_declared = self._mode == "thread" or not self._settings.app  # then everything is imported here
        if self._daemon is not None and not self._is_declared and (declared := self._inquiry.ask()):
            self._daemon.declare(declared.schedules)
            self._is_declared = True

    def _make_daemon(self) -> Daemon:
        database = open_database(self._url, self._settings, pool_size=2)
        specs = list(self._registry.schedules.values()) if self._schedules == "on" else []
        return make_daemon(self._settings, database, placement=self._mode, specs=specs)

    # the end

    def _end(self, told: bytes) -> None:
        assert self._election is not None
        self._election.say_stopping()
        self._inquiry.stop()
        if self._daemon is not None:
            self._daemon.request_stop()
        if self._governor is not None:
            self._governor.retire()
            self._election.put_down()
            self._end_worker(self._governor, told)
        if self._daemon is not None:
            self._daemon.stop()
        self._election.leave()
        self._database.dispose()

    def _end_worker(self, governor: Governor, told: bytes) -> None:
        assert self._election is not None
        is_stop = TOLD["drain"] in told or (TOLD["signal"] in told and self._all_stop())
        if is_stop:
            logger.info("the service is told to stop: its jobs have %g s to end", self._settings.grace_seconds)
            self._election.stop_engines_left()
        if is_stop or self._mode == "thread":
            until = clock() + self._settings.grace_seconds + 2 * DRAIN_EXTRA_SECONDS
            governor.drain()
            governor.join(until - clock())
            while is_stop and self._election.engines_left() and clock() < until:
                self._heard(GLANCE_SECONDS)  # in a container they live as long as we do
        elif governor.is_busy:
            logger.info("this process is replaced: its runs go on, a sibling carries the worker")
            governor.hand_over(self._election.orders())
            governor.join(HAND_OVER_SECONDS)

    def _all_stop(self) -> bool:
        """Whether our siblings were told to stop as we were; they may need a moment to say so.

        Without a signal even siblings that end at the same time would mean nothing: a server that replaces its
        processes after so many requests replaces them all at once. Should it end itself, the engines see that.
        """
        assert self._election is not None
        until = clock() + SIBLINGS_SECONDS
        while not all(one.stopping for one in self._election.siblings()):
            if clock() > until:
                return False
            if TOLD["drain"] in self._heard(GLANCE_SECONDS):
                return True
        return True

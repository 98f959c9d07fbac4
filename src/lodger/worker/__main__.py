"""An engine in a process of its own: ``python -m lodger.worker <fd>``, started by a supervisor.

The channel's end means that the supervisor is gone: drain, then go too, unless it has said before that we go
on alone. A process that the web server forked may keep the channel open, hence the look at our parent as well.
Exit codes: 0 drained, 3 the app could not be imported or its worker lifespan failed (said on the channel), 4 a job
has broken the process for all others: closed its files, or stopped the event loop.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from typing import Any, Final, NoReturn

from lodger.errors import ConfigurationError
from lodger.processes.ends import kill_session
from lodger.processes.manners import be_a_guest
from lodger.processes.signals import disregard, on_signal
from lodger.processes.spawn import Channel, accept
from lodger.settings import Settings
from lodger.store.database import Database
from lodger.store.sql import Tables
from lodger.worker.alone import Alone
from lodger.worker.engine import Engine, EngineBroken, Identity
from lodger.worker.flight import Flight
from lodger.worker.loading import load_app, told

logger: Final = logging.getLogger("lodger.worker")

TICK_SECONDS: Final = 1.0
EXIT_START_FAILED: Final = 3
EXIT_BROKEN: Final = 4


def main() -> None:
    """Run one engine to its end, then end the process whatever its threads still do."""
    disregard(signal.SIGINT)  # Ctrl-C in a terminal; the supervisor decides
    parent = os.getppid()
    channel, first = accept(sys.argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if first["placement"] == "child":
        be_a_guest(first["settings"]["nice"])
    try:
        engine = _make_engine(first)
        engine.start()
    except Exception as error:  # noqa: BLE001 - told to the supervisor, which says it to people
        channel.send({"t": "failed", "error": told(error), "hopeless": isinstance(error, ConfigurationError)})
        _leave(EXIT_START_FAILED)
    on_signal((signal.SIGTERM,), engine.drain)
    orders = Orders(channel, engine, _make_alone(first, engine))
    while channel.connection.poll() and orders.obey():  # what to leave to others, before the first claim
        pass
    channel.send({"t": "ready", "jobs": engine.jobs, "apart": engine.apart})
    threading.Thread(target=orders.listen, name="lodger-supervisor", daemon=True).start()
    threading.Thread(target=_tick, args=(channel, engine, orders, parent), name="lodger-tick", daemon=True).start()
    try:
        engine.run()
    except EngineBroken:
        logger.exception("the engine cannot go on")
        _leave(EXIT_BROKEN)
    orders.alone.end()
    _leave(0)


def _make_engine(first: dict[str, Any]) -> Engine:
    app = load_app(first["app"], first["path"])
    settings = Settings.from_json(first["settings"])
    tables = Tables(settings.prefix, settings.schema or None)
    child_message = {
        "app": first["app"],
        "path": first["path"],
        "url": first["url"],
        "tables": {"prefix": settings.prefix, "schema": settings.schema or None},
        "priority": first["priority"],
    }
    guest = first["placement"] == "child"
    return Engine(
        registry=app.registry.embeddable() if guest else app.registry,
        database=Database(first["url"], tables=tables),
        settings=settings,
        identity=Identity(worker=first["worker"], number=first["number"], owns_process=True),
        child_message=child_message,
        flight=Flight(first["seats"], first["flight"]),
    )


def _make_alone(first: dict[str, Any], engine: Engine) -> Alone:
    settings = Settings.from_json(first["settings"])
    database = Database(first["url"], tables=Tables(settings.prefix, settings.schema or None), pool_size=1)
    return Alone(engine, settings, database, first["worker"], first["number"])


class Orders:
    """What the supervisor says, done in turn."""

    def __init__(self, channel: Channel, engine: Engine, alone: Alone) -> None:
        self._channel = channel
        self._engine = engine
        self.alone = alone
        self.is_alone = False

    def listen(self) -> None:
        """Obey until the supervisor is gone."""
        while self.obey():
            pass

    def obey(self) -> bool:
        """Wait for an order and do it; False when there is nobody to give one."""
        try:
            message = self._channel.recv()
        except EOFError:
            if not self.is_alone:
                self._engine.drain()
            return False
        match message["t"]:
            case "drain":
                self._engine.drain()
            case "retire":
                self._engine.retire()
            case "kill":
                self._engine.kill_job(message["leader"], message["pids"], message["why"])
            case "alone":
                self.is_alone = True
                self.alone.begin(message)
            case "yield":
                self._engine.yield_pairs(frozenset((queue, job) for queue, job in message["pairs"]))
        return True


def _tick(channel: Channel, engine: Engine, orders: Orders, parent: int) -> None:
    """Tell the supervisor once a second that we move, and what we do."""
    last_claim = 0.0
    is_left = False
    while channel.send(
        {
            "t": "tick",
            "active": engine.active,
            "full": engine.full,
            "claimed": engine.last_claim > last_claim,
            "ended": engine.ended,
        }
    ):
        last_claim = engine.last_claim
        time.sleep(TICK_SECONDS)
        is_left, was_left = os.getppid() != parent, is_left
        if is_left and was_left and not orders.is_alone:  # a tick later: its last order may still be in the channel
            engine.drain()
    if not channel.is_ours:
        logger.error("a job has closed the files of this process: it ends")
        _leave(EXIT_BROKEN)


def _leave(code: int) -> NoReturn:
    """End now: threads of jobs cannot be stopped otherwise, and what they started must not outlive us."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getsid(0) == os.getpid():
        kill_session(os.getpid())
    os._exit(code)


if __name__ == "__main__":
    main()

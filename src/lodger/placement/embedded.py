"""The worker inside the web service: started and stopped with it, never able to take it down."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

from lodger.model.job import Registry
from lodger.placement.launch import inside_worker, make_supervisor
from lodger.placement.mode import Mode, read_mode
from lodger.settings import Settings
from lodger.store.url import parse
from lodger.supervisor.supervisor import Supervisor

logger: Final = logging.getLogger("lodger.placement")


class Embedded:
    """The embedded worker of one web process."""

    def __init__(self, settings: Settings, url: str | None, registry: Registry) -> None:
        """Refuse at once what can never work: no database, an unknown mode."""
        self._settings = settings
        self._url = url
        self._registry = registry
        self.supervisor: Supervisor | None = None

    def start(self) -> Mode:
        """Start the worker if the environment says so; return the mode."""
        mode = read_mode(os.environ)
        if mode == "off" or inside_worker() or "pytest" in sys.modules:
            logger.info("role=web placement=none: no embedded worker in this process")
            return "off"
        shown = parse(self._url)
        assert self._url is not None
        self.supervisor = make_supervisor(mode, self._settings, self._url, self._registry)
        self.supervisor.start()
        logger.info(
            "role=web+worker placement=%s queues=%s database=%s pid=%d signals=the web server's",
            *(mode, ",".join(self._settings.queues) or "all", shown.dialect, os.getpid()),
        )
        return mode

    def stop(self) -> None:
        """Drain; returns within the grace and a few seconds. Safe twice and before start."""
        supervisor, self.supervisor = self.supervisor, None
        if supervisor is not None:
            supervisor.stop()

"""Ordinary ``logging`` inside a job lands in the run's log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from lodger.worker.attempt.live import LiveRun, current

MAX_LINES: Final = 1000


class RunLogHandler(logging.Handler):
    """Hands each record that is logged while a run executes to ``write(live, level, text)``."""

    def __init__(self, write: Callable[[LiveRun, str, str], None]) -> None:
        """Take records of INFO and above."""
        super().__init__(logging.INFO)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, at most ``MAX_LINES`` per attempt (then one line that says so)."""
        live = current.get()
        if live is None or live.lines > MAX_LINES:
            return
        live.lines += 1
        try:
            text = (
                record.getMessage()
                if live.lines <= MAX_LINES
                else f"… more than {MAX_LINES} lines, the rest is not kept"
            )
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
            self._write(live, record.levelname, text)
        except Exception:  # noqa: BLE001 - logging must not break the job
            self.handleError(record)


def install(handler: RunLogHandler) -> None:
    """Add the handler to the root logger; jobs' own INFO lines must pass even when the app set no level."""
    logging.getLogger().addHandler(handler)
    logging.getLogger("lodger.job").setLevel(logging.INFO)


def uninstall(handler: RunLogHandler) -> None:
    """Take the handler away again (an engine inside a web process must leave no trace)."""
    logging.getLogger().removeHandler(handler)

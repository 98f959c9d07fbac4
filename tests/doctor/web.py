"""A web process that enqueues one run: `python -m tests.doctor.web`, until SIGTERM. What it logs goes to stderr."""

from __future__ import annotations

import logging
import signal

from tests.doctor.app import lodger, resize

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with lodger.embedded():
        resize.enqueue("a.png")
        signal.sigwait({signal.SIGTERM})

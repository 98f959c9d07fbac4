"""A web process without a worker, as far as schedules go: `python -m tests.scheduler.web`, until its input ends."""

from __future__ import annotations

import sys

from tests.scheduler.app import lodger

if __name__ == "__main__":
    with lodger.embedded():
        sys.stdin.read()

"""Twenty daemons at once, killed at random: each instant of one-second schedules is fired once, none is missed.

Five processes of four daemons each for 15 seconds; LODGER_STORM=full makes it twenty processes of one, for five
minutes. What was fired is read from the runs themselves (their meta says for which instant they are), not from
what the daemons noted.

Shown to fail: with all three guards gone (`AND version = :version` in `take_schedule`, the rows of `fire`, the id made
of schedule and instant) each instant is fired by ten daemons. One guard alone is enough to keep it green.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final

import pytest

from lodger.model.timetable import Cron, Every
from tests.support.schedules import Schedules, spec
from tests.support.store import Store, new_run
from tests.support.wait import wait_until

ROOT: Final = Path(__file__).parents[2]
FULL: Final = os.environ.get("LODGER_STORM") == "full"
SECONDS: Final = 300.0 if FULL else 15.0
PROCESSES, DAEMONS = (20, 1) if FULL else (5, 4)
KILL_SECONDS: Final = (0.2, 2.0)
SECOND: Final = timedelta(seconds=1)
QUICK: Final = {
    "LODGER_BEAT_SECONDS": "0.5",
    "LODGER_DEAD_AFTER_SECONDS": "3",
    "LODGER_SWEEP_SECONDS": "0.5",
    "LODGER_PRUNE_SECONDS": "1",
}

pytestmark = pytest.mark.timeout(SECONDS + 165)


class Band:
    """Processes full of daemons."""

    def __init__(self, url: str, log: Path) -> None:
        self._environment = {**os.environ, **QUICK, "DATABASE_URL": url}
        self._log = log.open("ab")
        self.members = [self._start() for _ in range(PROCESSES)]
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.scheduler.program", str(DAEMONS)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )

    def kill_one(self) -> None:
        """SIGKILL to any, and another in its place."""
        place = random.randrange(PROCESSES)
        _kill(self.members[place])
        self.members[place] = self._start()
        self.kills += 1

    def end(self) -> None:
        """Stop them in order."""
        for member in self.members:
            _stdin(member).close()
        for member in self.members:
            assert member.wait(30) == 0

    def clear(self) -> None:
        """Leave none behind."""
        for member in self.members:
            _kill(member)
        self._log.close()


def _kill(member: subprocess.Popen[bytes]) -> None:
    member.kill()
    member.wait()
    _stdin(member).close()


def _stdin(member: subprocess.Popen[bytes]) -> IO[bytes]:
    assert member.stdin is not None
    return member.stdin


@pytest.fixture
def band(database_url: str, tmp_path: Path, store: Store) -> Iterator[Band]:
    made = Band(database_url, tmp_path / "daemons.log")
    yield made
    made.clear()


def test_each_instant_is_fired_once(schedules: Schedules, store: Store, band: Band, tmp_path: Path) -> None:
    schedules.put(
        spec("all", Every(seconds=1), misfire="all"),
        spec("more", Every(seconds=1), misfire="all", jitter_seconds=1, run=new_run(queue="other")),
        spec("latest", Every(seconds=1)),
        spec("minutely", Cron("* * * * *", timezone="Europe/Berlin"), misfire="all"),
    )
    wait_until(lambda: schedules.get("all").fired, 60, "the first fire")
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        pause_until = min(end, time.monotonic() + random.uniform(*KILL_SECONDS))
        wait_until(lambda at=pause_until: time.monotonic() >= at, SECONDS, "the next kill")  # type: ignore[misc]
        band.kill_one()
    now = schedules.now()
    wait_until(lambda: _next(schedules, "all") > now and _next(schedules, "more") > now, 30, "what was left")
    band.end()
    fired = fired_instants(store)
    print(f"{band.kills} kills; " + ", ".join(f"{name}: {len(found)}" for name, found in sorted(fired.items())))
    assert band.kills >= SECONDS / 4
    for name, found in fired.items():
        assert [instant for instant, count in Counter(found).items() if count > 1] == [], name
        assert len(found) == schedules.get(name).fired
    for name in ("all", "more"):
        found = sorted(fired[name])
        assert len(found) >= SECONDS
        gaps = [at for at, after in itertools.pairwise(found) if after - at != SECOND]
        assert gaps == [], name
    assert (tmp_path / "daemons.log").read_text().count("Traceback") == 0


def _next(schedules: Schedules, name: str) -> datetime:
    found = schedules.get(name).next_at
    assert found is not None
    return found


def fired_instants(store: Store) -> dict[str, list[datetime]]:
    """The instants for which there are runs, one for each run."""
    found: dict[str, list[datetime]] = {}
    for (meta,) in store.rows(lambda t: f"SELECT meta FROM {t.run}"):
        told = json.loads(meta)["schedule"]
        found.setdefault(told["id"], []).append(datetime.fromisoformat(told["instant"]))
    return found

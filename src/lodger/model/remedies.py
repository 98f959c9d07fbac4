"""Why work waits that nobody serves, and the command or variable that mends it. Pure: for the warning and `doctor`.

Of all the workers that do not serve a pair, the *nearest* one is named: what that one lacks is the least to mend.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lodger.model.coverage import NEAREST, Lack, LackKind, Pair, SeenWorker, lack

ANY_APP: Final = "package.module:name"
"""Stands for the app's place where it is not known."""
SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """What the process that gives the advice knows of the deployment."""

    environment: str = "default"
    app: str = ""
    """LODGER_APP; empty: not known here."""


@dataclass(frozen=True, slots=True)
class Near:
    """The worker that comes nearest to serving a pair, and what it lacks."""

    worker: SeenWorker
    lack: Lack

    @property
    def text(self) -> str:
        """Return a sentence without its stop."""
        return f"the {self.worker.place} {self.lack.text}"


def nearest(pair: Pair, workers: Iterable[SeenWorker], environment: str) -> Near | None:
    """Return the worker that lacks least to serve ``pair``, of equals the newest; None when there is none at all.

    ``workers`` come newest first, as ``store.coverage`` gives them; none of them covers the pair.
    """
    found = [Near(worker, lacking) for worker in workers if (lacking := lack(worker, pair, environment)) is not None]
    return max(found, key=lambda near: NEAREST.index(near.lack.kind), default=None)


def reason(near: Near | None) -> str:
    """Return why nobody serves, as a sentence without its stop."""
    return "no worker lives, and none has of late" if near is None else near.text


def remedy(pairs: Sequence[Pair], near: Near | None, here: Here) -> str:
    """Return what to do so that ``pairs`` are served; ``near`` is the nearest worker to all of them."""
    queues = tuple(sorted({queue for queue, _ in pairs}))
    start = worker_command(here)
    if near is None:
        return starting(here)
    worker, kind = near.worker, near.lack.kind
    kinds: dict[LackKind, str] = {
        "gone": starting(here),
        "stopping": f"if no other one is about to start: {starting(here)}",
        "environment": f"give both LODGER_ENVIRONMENT={shlex.quote(here.environment)}; or start one here: {start}",
        "queue": (
            f"{worker_command(here, queues)}; or let that one work on more: "
            f"LODGER_QUEUES={','.join((*worker.queues, *queues))}"
        ),
        "apart": f"start a separate one: {worker_command(here, queues)}",
        "engine": "its log says more; mend that, and it starts anew by itself",
        "job": (
            f"deploy the code of {shown(job for _, job in pairs)} to that worker, and name its module in "
            "Lodger(imports=[...]); if the name is misspelt: cancel those runs: lodger.cancel(id)"
        ),
        "yields": f"it takes over by itself in a while; sooner with: {start}",
    }
    return kinds[kind]


def starting(here: Here) -> str:
    """Return how to have a worker at all."""
    return (
        f"{worker_command(here)}; or let the web service carry one: EMBEDDED_JOB_WORKER=auto, with lodger.lifespan() "
        "around the app"
    )


def worker_command(here: Here, queues: Sequence[str] = ()) -> str:
    """Return the command that starts a separate worker, with the variables that it needs besides DATABASE_URL."""
    return _command(here, "lodger worker" + (f" --queues {','.join(queues)}" if queues else ""))


def scheduler_command(here: Here) -> str:
    """Return the command that starts a schedule daemon of its own."""
    return _command(here, "lodger scheduler")


def _command(here: Here, command: str) -> str:
    words = [f"LODGER_APP={shlex.quote(here.app or ANY_APP)}", command]
    if here.environment != "default":
        words.insert(0, f"LODGER_ENVIRONMENT={shlex.quote(here.environment)}")
    return " ".join(words)


def shown(names: Iterable[str], most: int = SHOWN) -> str:
    """Return the names as one text, not too many of them."""
    all_of_them = list(dict.fromkeys(names))
    left = len(all_of_them) - most
    return ", ".join(all_of_them[:most]) + (f" and {left} more" if left > 0 else "")

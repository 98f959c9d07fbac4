"""Jobs that end by themselves when their worker is about to stop; they tell the side log when they hear of it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from lodger import Interrupted, Run, SyncRun
from tests.faults import sidelog
from tests.faults.app import AGAIN, lodger, told
from tests.faults.ledger import Res

SAID: Final = "done in time"


@lodger.job(retry=AGAIN)
async def obedient_on_loop(run: Run[Res]) -> str:
    with told(run):
        while not run.stopping:  # noqa: ASYNC110 - the flag is the worker's
            await asyncio.sleep(0.01)
        sidelog.write("stopping", run.id, run.fence, run.job)
    return SAID


@lodger.job(retry=AGAIN)
def obedient_in_thread(run: SyncRun[Res]) -> str:
    with told(run):
        _wait_for_stop(run)
    return SAID


@lodger.job(executor="process", retry=AGAIN)
def obedient_in_process(run: SyncRun[Res]) -> str:
    with told(run):
        _wait_for_stop(run)
    return SAID


@lodger.job(retry=AGAIN)
def interrupted_in_thread(run: SyncRun[Res]) -> str:
    """Save and give the run back before the grace ends; the second execution is done at once."""
    sidelog.write("start", run.id, run.fence, run.job)
    if run.checkpoint is None:
        _wait_for_stop(run)
        run.save("half")
        raise Interrupted
    sidelog.write("end", run.id, run.fence, run.job)
    return SAID


def _wait_for_stop(run: SyncRun[Res]) -> None:
    while not run.stopping:
        time.sleep(0.01)
    sidelog.write("stopping", run.id, run.fence, run.job)

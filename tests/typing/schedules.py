"""Schedules: what is run, when, and what comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from lodger import Cron, Every, RunHandle, ScheduleRecord
from tests.typing.jobs import lodger, plain

BERLIN = Cron("0 3 * * *", timezone="Europe/Berlin")


@lodger.job()
def nightly() -> None: ...


@lodger.job()
async def report(days: int = 1) -> str:
    return str(days)


def right() -> None:
    lodger.schedule(nightly, BERLIN, id="nightly", overlap="skip", misfire="all", jitter_seconds=60)
    lodger.schedule(report, Every(minutes=5), id="report")
    lodger.schedule(report.using(queue="slow"), Every(timedelta(hours=1)), id="slow")
    lodger.schedule(plain.using(priority=1).call("a.mp4", width=1), Every(seconds=1.5), id="plain")
    lodger.schedule(lodger.by_name("transcode"), Every(days=1), id="named")
    assert_type(lodger.store_schedule(nightly, BERLIN, id="stored"), ScheduleRecord)
    assert_type(lodger.schedules(), list[ScheduleRecord])
    lodger.run_schedule("nightly").cancel()


async def right_in_async_code() -> None:
    assert_type(await lodger.astore_schedule(report.call(7), BERLIN, id="stored"), ScheduleRecord)
    assert_type(await lodger.aget_schedule("stored"), ScheduleRecord)
    handle: RunHandle[object] = await lodger.arun_schedule("stored")
    await handle.arefresh()


def wrong() -> None:
    lodger.schedule(plain, BERLIN, id="needs arguments")  # type: ignore[arg-type]
    lodger.schedule(plain.using(queue="slow"), BERLIN, id="needs arguments")  # type: ignore[arg-type]
    lodger.schedule("nightly", BERLIN, id="a name")  # type: ignore[arg-type]
    lodger.schedule(nightly.function, BERLIN, id="a function")  # type: ignore[arg-type]
    lodger.schedule(nightly, "0 3 * * *", id="text")  # type: ignore[arg-type]
    lodger.schedule(nightly, timedelta(minutes=5), id="timedelta")  # type: ignore[arg-type]
    lodger.schedule(nightly, BERLIN)  # type: ignore[call-arg]
    lodger.schedule(nightly, BERLIN, id=1)  # type: ignore[arg-type]
    lodger.schedule(nightly, BERLIN, id="a", overlap="maybe")  # type: ignore[arg-type]
    lodger.schedule(nightly, BERLIN, id="a", misfire="none")  # type: ignore[arg-type]
    lodger.schedule(nightly, BERLIN, id="a", jitter_seconds="1")  # type: ignore[arg-type]
    lodger.schedule(nightly, BERLIN, id="a", queue="slow")  # type: ignore[call-arg]
    Cron("0 3 * * *", "Europe/Berlin")  # type: ignore[call-arg]
    Cron(3)  # type: ignore[arg-type]
    Every("5 minutes")  # type: ignore[arg-type]
    Every(weeks=1)  # type: ignore[call-arg]

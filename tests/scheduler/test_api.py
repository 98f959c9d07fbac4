"""Schedules as an app's code sees them: declared, stored, acted on, sync and async."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lodger import (
    ConfigurationError,
    Cron,
    Every,
    InvalidInput,
    Job,
    Lodger,
    ScheduleDeclared,
    ScheduleNotFound,
    ScheduleRecord,
)
from tests.support.schedules import Schedules
from tests.support.store import Store

BERLIN = Cron("0 3 * * *", timezone="Europe/Berlin")


@pytest.fixture
def app(database_url: str, store: Store) -> Iterator[Lodger]:
    made = Lodger(url=database_url)
    yield made
    made.close()


@pytest.fixture
def digest(app: Lodger) -> Job[Any, None]:
    @app.job(queue="mail", priority=2)
    def digest(day: int = 1) -> None: ...

    return digest


def test_a_declaration_is_registered_and_touches_nothing(app: Lodger, digest: Job[Any, None]) -> None:
    app.schedule(digest, BERLIN, id="digest", overlap="skip", misfire="all", jitter_seconds=5)
    spec = app.registry.schedules["digest"]
    assert (spec.timetable, spec.job, spec.queue) == (BERLIN, "digest", "mail")
    assert (spec.overlap, spec.misfire, spec.jitter_seconds) == ("skip", "all", 5.0)
    assert app.schedules() == []


def test_declared_twice_alike_is_one_and_differently_is_refused(app: Lodger, digest: Job[Any, None]) -> None:
    app.schedule(digest, BERLIN, id="digest")
    app.schedule(digest, BERLIN, id="digest")
    with pytest.raises(ConfigurationError) as caught:
        app.schedule(digest, Every(hours=1), id="digest")
    assert caught.value.field == "schedule id"
    assert len(app.registry.schedules) == 1


@pytest.mark.parametrize("way", ["job", "call", "using", "named"])
def test_ways_to_say_what_is_run(app: Lodger, digest: Job[Any, None], schedules: Schedules, way: str) -> None:
    what: Any = {
        "job": digest,
        "call": digest.call(7),
        "using": digest.using(queue="slow", tags=["t"], unique="k").call(day=8),
        "named": app.by_name("digest", queue="slow"),
    }[way]
    record = app.store_schedule(what, Every(days=300), id="s")
    assert record == app.get_schedule("s")
    assert (record.origin, record.state, record.timetable) == ("stored", "active", Every(days=300))
    handle = app.run_schedule("s")
    run = handle.refresh()
    assert (run.job, run.queue) == ("digest", {"using": "slow", "named": "slow"}.get(way, "mail"))
    assert run.args == {"job": {}, "call": {"day": 7}, "using": {"day": 8}, "named": {}}[way]
    assert run.meta["schedule"]["id"] == "s"
    assert (handle.created, handle.job, handle.queue) == (True, run.job, run.queue)


@pytest.mark.parametrize(
    ("field", "what", "timetable", "options"),
    [
        ("job", "digest", BERLIN, {}),
        ("job", None, BERLIN, {}),
        ("job", len, BERLIN, {}),
        ("timetable", "job", "0 3 * * *", {}),
        ("timetable", "job", timedelta(minutes=5), {}),
        ("schedule id", "job", BERLIN, {"id": "a b"}),
        ("overlap", "job", BERLIN, {"overlap": "maybe"}),
        ("misfire", "job", BERLIN, {"misfire": None}),
        ("jitter_seconds", "job", BERLIN, {"jitter_seconds": "1"}),
        ("delay or run_at", "delayed", BERLIN, {}),
    ],
)
@pytest.mark.parametrize("method", ["schedule", "store_schedule"])
def test_what_makes_no_schedule_is_refused_by_name(
    app: Lodger, digest: Job[Any, None], method: str, field: str, what: Any, timetable: Any, options: Any
) -> None:
    given = {"job": digest, "delayed": digest.using(delay=5).call()}.get(what, what) if field != "job" else what
    with pytest.raises(InvalidInput) as caught:
        getattr(app, method)(given, timetable, **{"id": "s", **options})
    assert caught.value.field == field
    assert app.registry.schedules == {}
    assert app.schedules() == []


def test_arguments_are_checked_when_it_is_declared(app: Lodger, digest: Job[Any, None]) -> None:
    with pytest.raises(InvalidInput, match="digest"):
        app.schedule(digest.call("seven"), BERLIN, id="s")


def test_its_life(app: Lodger, digest: Job[Any, None], schedules: Schedules) -> None:
    app.store_schedule(digest, Every(days=300), id="b")
    app.store_schedule(digest, Every(days=300), id="a")
    assert [record.id for record in app.schedules()] == ["a", "b"]
    app.pause_schedule("a")
    assert app.get_schedule("a").state == "paused"
    app.resume_schedule("a")
    assert app.get_schedule("a").state == "active"
    schedules.back("a")
    schedules.fire_due()
    record = app.get_schedule("a")
    assert record.fired == 1
    assert app.get_run(record.last_run_id).meta["schedule"]["by_hand"] is False
    app.delete_schedule("a")
    with pytest.raises(ScheduleNotFound):
        app.get_schedule("a")
    assert app.get_run(record.last_run_id).job == "digest"


def test_its_life_in_async_code(app: Lodger, digest: Job[Any, None]) -> None:
    async def live() -> list[ScheduleRecord]:
        seen = [await app.astore_schedule(digest, Every(days=300), id="s")]
        await app.apause_schedule("s")
        seen += await app.aschedules()
        await app.aresume_schedule("s")
        seen.append(await app.aget_schedule("s"))
        handle = await app.arun_schedule("s")
        assert (await handle.arefresh()).job == "digest"
        await app.adelete_schedule("s")
        return seen

    assert [record.state for record in asyncio.run(live())] == ["active", "paused", "active"]
    assert app.schedules() == []


def test_storing_under_an_id_that_code_declares_is_refused(
    app: Lodger, digest: Job[Any, None], schedules: Schedules, store: Store
) -> None:
    app.schedule(digest, BERLIN, id="s")
    schedules.declare(*app.registry.schedules.values(), owner=store.worker())
    with pytest.raises(ScheduleDeclared):
        app.store_schedule(digest, Every(hours=1), id="s")
    with pytest.raises(ScheduleDeclared):
        app.delete_schedule("s")


@pytest.mark.parametrize("action", ["get", "pause", "resume", "run", "delete"])
def test_an_id_that_can_be_none_is_refused_and_one_that_is_not_there_not_found(app: Lodger, action: str) -> None:
    act = getattr(app, f"{action}_schedule")
    with pytest.raises(InvalidInput):
        act("a b")
    with pytest.raises(ScheduleNotFound):
        act("a")


def test_import_lodger_loads_neither_cronsim_nor_time_zones() -> None:
    code = "import sys, lodger; lodger.Every(minutes=5); print({'cronsim', 'zoneinfo'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

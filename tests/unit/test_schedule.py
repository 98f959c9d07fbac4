"""What a schedule is made of, which instants it fires now, and the run of an instant."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.ids import checked, first_id_at, new_id
from lodger.model.run import NewRun
from lodger.model.schedule import FirePlan, ScheduleSpec, fire_id, jittered, make_spec, plan_fires, run_of
from lodger.model.timetable import EPOCH, Cron, Every
from lodger.model.unique import Unique

NOON = datetime(2027, 3, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def a_run(**fields: Any) -> NewRun:
    return NewRun(**{"id": new_id(), "job": "j", "queue": "q", "args": '{"a":1}', **fields})


def changed(run: NewRun, **fields: Any) -> NewRun:
    return NewRun(**{name: getattr(run, name) for name in NewRun.__annotations__} | fields)


def a_spec(run: NewRun | None = None, **options: Any) -> ScheduleSpec:
    return make_spec(run or a_run(), Every(minutes=1), **{"id": "s", **options})


def plan(misfire: Any, minutes_late: float, **options: Any) -> FirePlan:
    """Every minute, the next instant at noon, looked at so many minutes later."""
    now = NOON + timedelta(minutes=minutes_late)
    return plan_fires(Every(minutes=1), misfire, first=NOON, now=now, late_seconds=30, **options)


@pytest.mark.parametrize(
    ("misfire", "minutes_late", "fired", "missed"),
    [
        ("latest", 0, [0], False),
        ("latest", 0.9, [0], False),
        ("latest", 3.9, [3], True),
        ("skip", 0.4, [0], False),
        ("skip", 0.6, [], True),
        ("skip", 3.4, [3], True),
        ("skip", 3.6, [], True),
        ("all", 0, [0], False),
        ("all", 3.9, [0, 1, 2, 3], False),
        ("all", 99, list(range(100)), False),
        ("all", 150, list(range(51, 151)), True),
    ],
)
def test_misfire(misfire: str, minutes_late: float, fired: list[int], missed: bool) -> None:
    made = plan(misfire, minutes_late)
    assert [(at - NOON) // MINUTE for at in made.instants] == fired
    assert made.missed is missed
    assert made.next_at == NOON + (int(minutes_late) + 1) * MINUTE


def test_the_next_instant_is_that_of_the_timetable_not_of_the_clock() -> None:
    """A daemon that is late by 20 s each time is not late by a minute after three times."""
    assert plan("latest", 1 / 3).next_at == NOON + MINUTE


def test_an_instant_that_this_host_s_zones_deny_fires_all_the_same() -> None:
    """Hosts with different tzdata; and the plan gets on."""
    first = NOON + timedelta(seconds=30)
    made = plan_fires(Every(minutes=1), "latest", first=first, now=first, late_seconds=30)
    assert made == FirePlan(instants=(first,), next_at=NOON + MINUTE, missed=False)


def test_an_expression_that_is_over_has_no_next_instant() -> None:
    last = datetime(2096, 2, 29, tzinfo=UTC)
    made = plan_fires(Cron("0 0 29 2 *"), "latest", first=last, now=last, late_seconds=30)
    assert made.next_at == datetime(2104, 2, 29, tzinfo=UTC)


@given(st.text(), TIMES)
def test_an_instant_has_one_id_that_sorts_by_its_time(schedule: str, instant: datetime) -> None:
    made = fire_id(schedule, instant)
    assert checked(made) == made == fire_id(schedule, instant)
    unix_ms = (instant - EPOCH) // timedelta(milliseconds=1)
    assert first_id_at(unix_ms) < made < first_id_at(unix_ms + 1)
    assert made != fire_id(schedule + "x", instant)
    assert made != fire_id(schedule, instant + timedelta(microseconds=1))


@given(TIMES, st.floats(0, 86400))
def test_jitter_is_the_same_for_every_daemon_and_within_its_bound(instant: datetime, seconds: float) -> None:
    due = jittered("s", instant, seconds)
    assert due == jittered("s", instant, seconds)
    assert instant <= due <= instant + timedelta(seconds=seconds)


def test_jitter_spreads_schedules() -> None:
    waits = sorted((jittered(f"s{n}", NOON, 60) - NOON).total_seconds() for n in range(1000))
    assert waits[0] < 2
    assert 25 < waits[500] < 35
    assert waits[-1] > 58


def test_the_run_of_an_instant_is_the_declared_one() -> None:
    declared = a_run(
        claim_rank=-5,
        max_attempts=7,
        on_crash="fail",
        options='{"timeout":3}',
        meta='{"tenant":1}',
        tags='["t"]',
        unique=Unique(key="k", conflict="replace"),
        expires_seconds=60.0,
    )
    spec = a_spec(declared)
    made = run_of(schedule="s", job=spec.job, queue=spec.queue, template=spec.template, instant=NOON)
    meta = {"tenant": 1, "schedule": {"id": "s", "instant": "2027-03-28T12:00:00+00:00", "by_hand": False}}
    assert json.loads(made.meta or "") == meta
    assert changed(made, id=declared.id, meta=declared.meta) == declared
    assert made.id == fire_id("s", NOON)


def test_a_declaration_s_digest_changes_with_each_of_its_parts() -> None:
    run = a_run()
    same = a_spec(run)
    others = [
        make_spec(run, Every(minutes=2), id="s"),
        a_spec(run, id="t"),
        a_spec(run, overlap="skip"),
        a_spec(run, misfire="all"),
        a_spec(run, jitter_seconds=1),
        a_spec(changed(run, args="{}")),
        a_spec(changed(run, job="k")),
        a_spec(changed(run, queue="r")),
        a_spec(changed(run, claim_rank=1)),
    ]
    assert same.digest == a_spec(changed(run, id=new_id())).digest
    assert len({spec.digest for spec in [same, *others]}) == 1 + len(others)


@pytest.mark.parametrize(
    ("field", "options", "run"),
    [
        ("schedule id", {"id": "a b"}, {}),
        ("schedule id", {"id": ""}, {}),
        ("schedule id", {"id": "x" * 101}, {}),
        ("schedule id", {"id": None}, {}),
        ("overlap", {"overlap": "sometimes"}, {}),
        ("overlap", {"overlap": None}, {}),
        ("misfire", {"misfire": "none"}, {}),
        ("jitter_seconds", {"jitter_seconds": -1}, {}),
        ("jitter_seconds", {"jitter_seconds": 86401}, {}),
        ("jitter_seconds", {"jitter_seconds": "1"}, {}),
        ("jitter_seconds", {"jitter_seconds": True}, {}),
        ("jitter_seconds", {"jitter_seconds": float("nan")}, {}),
        ("delay or run_at", {}, {"delay_seconds": 1.0}),
        ("delay or run_at", {}, {"run_at": NOON}),
        ("meta key", {}, {"meta": '{"schedule":1}'}),
    ],
)
def test_what_makes_no_schedule_is_refused_by_name(field: str, options: Any, run: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        a_spec(a_run(**run), **options)
    assert caught.value.field == field

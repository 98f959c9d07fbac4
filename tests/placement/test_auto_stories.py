"""Mode auto over time, in a world without processes: starts, deploys, crashes, outages, and the promised bounds.

The bounds leave three seconds for the start of an embedded child, which the real ones must not pass together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lodger.model.coverage import EngineState, Waiting, is_yielded
from lodger.placement.auto import Own
from tests.support.auto_world import Actor, World
from tests.support.seen import work

CHILD_START = 3.0


def since(start: float, queue: str = "q") -> Callable[[float], Sequence[Waiting]]:
    """Work that waits from ``start`` on."""

    def waiting(now: float) -> Sequence[Waiting]:
        return [work(queue=queue, oldest=now - start)] if now >= start else []

    return waiting


def test_without_separate_workers_it_runs_from_the_first_look_on() -> None:
    world = World()
    world.run(300)
    assert world.changes() == [(0, "run")]


@pytest.mark.parametrize("offset", [0, 0.7, 1.3, 1.9])
def test_it_stands_by_within_25_seconds_of_a_workers_start(offset: float) -> None:
    """But not before it was seen ready for two beats."""
    world = World(actors=[Actor(start=100 + offset)])
    world.run(200)
    assert 12 <= world.became("stand_by", 100 + offset) <= 25
    assert [action for _, action in world.changes()] == ["run", "stand_by"]


def test_what_a_worker_has_done_before_our_jobs_were_known_counts() -> None:
    """It stands by as soon as they are. Red when beats are counted only from then on."""
    world = World(actors=[Actor(start=100)], own=Own(environment="e", jobs=None))
    world.run(143)
    assert world.changes() == [(0, "run")]
    world.own = Own(environment="e", jobs={"j": "q"})
    world.run(145)
    assert world.became("stand_by", 143) <= 2


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("kill", [200 + step * 1.7 for step in range(7)])
def test_it_runs_within_95_seconds_of_a_kill(kill: float, swept: bool) -> None:
    """Expired after 60 s of silence: at once then, whether a sweep has buried the worker or not."""
    world = World(actors=[Actor(start=100, kill=kill, swept=swept)], waiting=since(kill))
    world.run(kill + 120)
    assert world.became("run", kill) <= 62
    assert 62 + CHILD_START <= 95


@pytest.mark.parametrize("offset", [0, 0.5, 1.1, 1.9])
def test_it_runs_30_to_35_seconds_after_a_clean_departure(offset: float) -> None:
    """Counted from the moment at which the worker said that it leaves."""
    world = World(actors=[Actor(start=100, stop=200 + offset)], waiting=since(200 + offset))
    world.run(300)
    assert 30 <= world.became("run", 200 + offset) <= 35 - CHILD_START


@pytest.mark.parametrize("pause", [0.5, 5, 15, 25])
def test_a_deploy_starts_no_embedded_worker(pause: float) -> None:
    """The old one leaves, the new one comes. Fails without `_bridged`: the new one has not beaten twice in time."""
    world = World(actors=[Actor(start=0, stop=200), Actor(name="new", start=200 + pause)])
    world.run(600)
    assert world.changes() == [(0, "run"), (world.became("stand_by", 0), "stand_by")]


def test_a_deploy_that_never_gets_ready_is_noticed() -> None:
    broken = Actor(name="new", start=203, engine=lambda _: EngineState(state="restarting", deaths=1))
    world = World(actors=[Actor(stop=200), broken])
    world.run(400)
    assert 30 <= world.became("run", 200) <= 32


def test_workers_that_come_up_and_die_one_after_the_other_bridge_no_more_than_30_seconds() -> None:
    """Each under a new id, as a container that restarts. Fails when `bridge_until` moves on while bridging."""
    actors = [Actor(stop=200)] + [Actor(name=f"new{n}", start=201 + 14 * n, stop=201 + 14 * n + 12) for n in range(12)]
    world = World(actors=actors)
    world.run(370)
    assert world.became("run", 200) <= 61
    assert [action for _, action in world.changes()] == ["run", "stand_by", "run"]


def test_a_web_service_that_starts_beside_a_worker_never_begins_a_child() -> None:
    world = World(actors=[Actor(start=-500)])
    world.run(100)
    assert world.changes() == [(0, "stand_by")]


def test_a_web_service_that_starts_after_a_power_cut_waits_no_longer_than_30_seconds() -> None:
    """The dead worker's row still looks alive."""
    world = World(actors=[Actor(start=-500, kill=-3)], waiting=since(0))
    world.run(100)
    assert world.became("run", 0) <= 32


@pytest.mark.parametrize("restart", [1, 5, 25])
def test_an_engine_that_restarts_changes_nothing(restart: float) -> None:
    """Its supervisor is there, and starts another."""

    def engine(at: float) -> EngineState:
        return EngineState(state="restarting", deaths=1) if 200 <= at < 200 + restart else EngineState()

    world = World(actors=[Actor(engine=engine)])
    world.run(400)
    assert [action for _, action in world.changes()] == ["run", "stand_by"]


@pytest.mark.parametrize("state", ["restarting", "stalled", "starting"])
def test_an_engine_that_does_not_come_back_is_replaced_after_30_seconds(state: str) -> None:
    def engine(at: float) -> EngineState:
        return EngineState(state=state) if at >= 200 else EngineState()

    world = World(actors=[Actor(engine=engine)])
    world.run(400)
    assert 30 <= world.became("run", 200) <= 45


def test_a_crash_loop_is_replaced_as_soon_as_a_beat_tells_of_it() -> None:
    world = World(actors=[Actor(engine=lambda at: EngineState(deaths=3 if at >= 200 else 0))])
    world.run(400)
    assert world.became("run", 200) <= 12
    assert world.changes()[-1][1] == "run"


def test_a_worker_that_beats_but_does_not_claim_is_replaced() -> None:
    """Within the beat that should have told of a claim. Without work nobody can know, and nothing changes."""
    world = World(actors=[Actor(claims=False)], waiting=since(200))
    world.run(300)
    assert [action for _, action in world.changes()] == ["run", "stand_by", "run"]
    assert 5 <= world.became("run", 200) <= 20


def test_a_worker_that_did_not_claim_begins_anew() -> None:
    """Its old beats count no more. Fails without the first sight of a worker that is stuck."""
    actor = Actor(claims=False)
    world = World(actors=[actor], waiting=lambda now: [work(oldest=now - 200)] if 200 <= now < 220 else [])
    world.run(400)
    again = world.became("run", 200) + 200
    assert world.became("stand_by", again) >= 10, "two beats from then on"


def test_work_that_waited_for_the_database_blames_nobody() -> None:
    """After an outage workers need a moment to claim, and a beat to tell. Fails without `is_recovering`."""
    actor = Actor(start=-500, claims=False)
    world = World(
        actors=[actor], outages=[(100, 200)], waiting=lambda now: [work(oldest=now - 90)] if 200 <= now < 225 else []
    )
    world.run(400)
    assert world.changes() == [(0, "stand_by")]


def test_a_worker_that_is_busy_is_left_alone() -> None:
    """All its slots are taken by long runs, and work waits: the web service is spared, that is why it was separated."""
    full = Actor(claims=False, engine=lambda _: EngineState(full=True, active=20))
    world = World(actors=[full], waiting=since(200))
    world.run(2000)
    assert [action for _, action in world.changes()] == ["run", "stand_by"]


def test_while_the_database_is_away_nothing_changes_nor_soon_after() -> None:
    """Nobody could beat: silence is no evidence. Fails without `recovering_until`."""
    actor = Actor(start=-500)
    world = World(actors=[actor], outages=[(100, 400)])
    world.run(100)
    silent = Actor(start=-500, kill=100)  # to our eyes: its last beat is from before the outage
    world.actors = [silent]
    world.run(405)
    assert world.changes() == [(0, "stand_by")]
    world.actors = [actor]
    world.run(600)
    assert world.changes() == [(0, "stand_by")]


def test_who_does_not_beat_again_after_an_outage_is_replaced() -> None:
    world = World(actors=[Actor(start=-500, kill=150)], outages=[(100, 400)])
    world.run(600)
    assert world.changes() == [(0, "stand_by"), (pytest.approx(430, abs=3), "run")]


def test_a_suspended_web_service_does_not_blame_the_workers() -> None:
    """A laptop's lid was closed: all slept, and all beats look old at first."""
    actor = Actor(start=-500)
    world = World(actors=[actor], asleep=[(100, 4000)])
    world.run(99)
    world.actors = [Actor(start=-500, kill=100)]
    world.run(4004)
    world.actors = [actor]
    world.run(4200)
    assert world.changes() == [(0, "stand_by")]


def test_a_worker_that_comes_and_goes_is_counted_on_less_and_less() -> None:
    """Up for 40 s, killed, back after 80 s, for two hours. Fails without the dwell."""
    actors = [Actor(name=f"w{n}", start=120.0 * n, kill=120.0 * n + 40, swept=True) for n in range(60)]
    world = World(actors=actors)
    world.run(7200)
    takeovers = [at for at, action in world.changes() if action == "run"]
    assert len(takeovers) <= 10, "60 times it came"
    stable = Actor(name="stable", start=7200)
    world.actors = [stable]
    world.run(7200 + 700)
    assert world.became("stand_by", 7200) <= 620, "who stays is counted on in the end"


def test_a_worker_of_some_queues_leaves_the_rest_to_the_embedded_one() -> None:
    world = World(actors=[Actor(queues=("media",))], own=Own(environment="e", jobs={"j": "q"}))
    last = world.run(100)
    assert (last.action, last.yields) == ("run", {("media", "j")})


@st.composite
def actors(draw: st.DrawFn) -> Actor:
    start = draw(st.floats(0, 400))
    span = draw(st.floats(1, 400))
    end = draw(st.sampled_from(["stop", "kill", None]))
    broken = sorted([draw(st.floats(0, 600)), draw(st.floats(0, 600))])
    state = draw(st.sampled_from(["running", "running", "stalled", "restarting"]))
    return Actor(
        start=start,
        ready_after=draw(st.floats(0.5, 30)),
        stop=start + span if end == "stop" else None,
        kill=start + span if end == "kill" else None,
        queues=draw(st.sampled_from([(), ("q",), ("media",)])),
        environment=draw(st.sampled_from(["e", "e", "e", "blue"])),
        claims=draw(st.booleans()),
        engine=lambda at: EngineState(state=state if broken[0] <= at < broken[1] else "running"),
        swept=draw(st.booleans()),
    )


casts = st.lists(actors(), max_size=5).map(
    lambda cast: [replace(actor, name=f"w{number}") for number, actor in enumerate(cast)]
)


@given(casts)
@settings(deadline=None, max_examples=60)
def test_work_is_never_without_a_worker_for_long(cast: list[Actor]) -> None:
    """Whatever they do: a pair that no separate worker really serves is served by the embedded one within 95 s.

    And one that is served by a steady worker is not also claimed by the embedded one for long.
    """
    world = World(actors=cast, waiting=since(0))
    world.run(700)
    idle_since: float | None = 0.0
    for at, decision in world.told:
        embedded = decision.action == "run" and not is_yielded(("q", "j"), decision.yields)
        separate = any(actor.serves(at) and (not actor.queues or "q" in actor.queues) for actor in cast)
        idle_since = None if embedded or separate else at if idle_since is None else idle_since
        assert idle_since is None or at - idle_since <= 95 - CHILD_START


@given(casts, st.floats(0, 600))
@settings(deadline=None, max_examples=30)
def test_a_steady_worker_is_counted_on_in_the_end(cast: list[Actor], start: float) -> None:
    """Whatever the others do."""
    world = World(actors=[*cast, Actor(name="steady", start=start)])
    assert world.run(1500).action == "stand_by"

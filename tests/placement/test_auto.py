"""Mode auto, one look at a time: every state of a separate worker against every state of the embedded one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lodger.model.coverage import ANY_QUEUE, CRASH_LOOP_DEATHS, EngineState, Look, Pair
from lodger.placement.auto import Decision, Memory, Own, decide, needs_jobs
from lodger.placement.trust import Track
from tests.support.seen import seen_worker, work

OWN = Own(environment="e", jobs={"j": "q"})
ALL = frozenset({(ANY_QUEUE, "j")})
NONE: frozenset[Pair] = frozenset()
NOW = 1000.0


def track(**fields: Any) -> Track:
    """A worker trusted since long, last seen at its beat 0."""
    values = {
        "pairs": ALL,
        "beat_at": seen_worker().beat_at,
        "ready_beats": 9,
        "ready_since": NOW - 90,
        "trusted": True,
    }
    return Track(**{**values, **fields})


def memory(**fields: Any) -> Memory:
    return Memory(**{"looked_at": NOW - 2, "bridge_until": NOW + 28, **fields})


RUNNING = memory(action="run")
"""Knows no worker."""
COUNTING = memory(action="run", tracks={"w": track(trusted=False, ready_beats=1, ready_since=NOW - 8)})
"""Has seen its first beat."""
STANDING = memory(action="stand_by", yields=ALL, tracks={"w": track()})
"""Trusts it."""
HOLDING = memory(action="stand_by", yields=ALL, tracks={"w": track(hold_until=NOW + 10)})
"""Trusted it, and it has begun to leave, or to restart its engine, 20 s ago."""

READY: dict[str, Any] = {"beat": 10.0}
STATES: dict[str, dict[str, Any] | None] = {
    "absent": None,
    "starting": {"engines": (EngineState(state="starting"),), "jobs": frozenset(), "age_seconds": 1.0},
    "ready, the same beat": {"beat": 0.0},
    "ready, a new beat": READY,
    "ready, full": {**READY, "engines": (EngineState(full=True, active=20),)},
    "one of two engines stalled": {**READY, "engines": (EngineState(state="stalled"), EngineState())},
    "restarting": {**READY, "engines": (EngineState(state="restarting", deaths=1),), "jobs": frozenset()},
    "stalled": {**READY, "engines": (EngineState(state="stalled"),)},
    "crash-looping": {**READY, "engines": (EngineState(state="restarting", deaths=3, error="x"),)},
    "crash-looping, up just now": {**READY, "engines": (EngineState(deaths=3),)},
    "silent": {"is_live": False, "beat_seconds": 61.0},
    "buried": {"is_live": False, "beat_seconds": 70.0, "dead_seconds": 5.0},
    "stopping": {**READY, "stopping_seconds": 1.0, "engines": (), "jobs": frozenset()},
    "stopping for long": {**READY, "stopping_seconds": 31.0, "engines": (), "jobs": frozenset()},
    "left": {"is_live": False, "stopping_seconds": 20.0, "dead_seconds": 18.0, "engines": (), "jobs": frozenset()},
    "left long ago": {"is_live": False, "stopping_seconds": 40.0, "dead_seconds": 38.0, "engines": ()},
    "stopping, then silent": {"is_live": False, "stopping_seconds": 65.0, "beat_seconds": 65.0},
    "another environment": {**READY, "environment": "blue"},
    "embedded elsewhere": {**READY, "placement": "child"},
    "embedded elsewhere, thread": {**READY, "placement": "thread"},
    "knows other jobs only": {**READY, "jobs": frozenset({"k"})},
    "serves other queues only": {**READY, "queues": ("media",)},
    "claims nothing": READY,
    "claims nothing, but is full": {**READY, "engines": (EngineState(full=True),)},
    "claims nothing of a paused queue": READY,
    "has not beaten since work waits": {**READY, "beat_seconds": 9.0},
    "claimed others lately": {**READY, "claim_seconds": 20.0},
}
WORK = {
    "claims nothing": [work(oldest=60)],
    "claims nothing, but is full": [work(oldest=60)],
    "claims nothing of a paused queue": [work(oldest=60, paused=True)],
    "has not beaten since work waits": [work(oldest=10)],
    "claimed others lately": [work(oldest=600)],
}

# What is yielded after one look: A all, M the pairs of queue media, - nothing.
#                                    running counting standing holding
TABLE = """
absent                               -       -        -        -
starting                             -       -        A        A
ready, the same beat                 -       -        A        A
ready, a new beat                    -       A        A        A
ready, full                          -       A        A        A
one of two engines stalled           -       A        A        A
restarting                           -       -        A        A
stalled                              -       -        A        A
crash-looping                        -       -        -        -
crash-looping, up just now           -       -        -        -
silent                               -       -        -        -
buried                               -       -        -        -
stopping                             -       -        A        A
stopping for long                    -       -        -        -
left                                 -       -        A        A
left long ago                        -       -        -        -
stopping, then silent                -       -        -        -
another environment                  -       -        -        -
embedded elsewhere                   -       -        -        -
embedded elsewhere, thread           -       -        -        -
knows other jobs only                -       -        -        -
serves other queues only             -       M        M        M
claims nothing                       -       -        -        -
claims nothing, but is full          -       A        A        A
claims nothing of a paused queue     -       A        A        A
has not beaten since work waits      -       A        A        A
claimed others lately                -       A        A        A
"""
BEFORE = {"running": RUNNING, "counting": COUNTING, "standing": STANDING, "holding": HOLDING}
MEANING = {"-": NONE, "A": ALL, "M": frozenset({("media", "j")})}
ROWS = [(line[:37].strip(), line[37:].split()) for line in TABLE.strip().splitlines()]
CASES = [(state, before, letter) for state, letters in ROWS for before, letter in zip(BEFORE, letters, strict=True)]


def look_at(state: str) -> Look:
    fields = STATES[state]
    workers = () if fields is None else (seen_worker(**fields),)
    return Look(workers=workers, waiting=tuple(WORK.get(state, ())))


def test_the_table_has_every_state() -> None:
    assert [state for state, _ in ROWS] == [*STATES]


@pytest.mark.parametrize(("state", "before", "letter"), CASES, ids=lambda value: value)
def test_one_look(state: str, before: str, letter: str) -> None:
    """Stand by exactly when all is yielded: the app declares one job in one queue."""
    decision = decide(OWN, look_at(state), BEFORE[before], NOW)
    assert decision.yields == MEANING[letter]
    assert decision.action == ("stand_by" if letter == "A" else "run")
    assert decision.changed == ((decision.action, decision.yields) != (BEFORE[before].action, BEFORE[before].yields))


UNKNOWN = replace(OWN, jobs=None)


@pytest.mark.parametrize("before", ["running", "counting"])  # who has left something to others, knows them
@pytest.mark.parametrize("state", STATES)
def test_while_our_jobs_are_not_known_nothing_is_left_to_others(state: str, before: str) -> None:
    """However long that takes. Red when a worker runs that might do nothing, or none at all."""
    decision = decide(UNKNOWN, look_at(state), BEFORE[before], NOW)
    assert (decision.action, decision.yields) == ("run", NONE)


@pytest.mark.parametrize("state", STATES)
def test_at_the_first_look_our_jobs_are_waited_for_where_they_matter(state: str) -> None:
    """Nothing runs yet then, so not for the sake of a worker that could not have them."""
    matter = {name for name, fields in STATES.items() if fields is not None and _could_serve(fields)}
    decision = decide(UNKNOWN, look_at(state), Memory(), NOW)
    assert decision.action == ("keep" if state in matter else "run")
    assert needs_jobs(UNKNOWN, look_at(state)) == (state in matter)
    assert not needs_jobs(OWN, look_at(state))


def _could_serve(fields: dict[str, Any]) -> bool:
    engines = fields.get("engines", (EngineState(),))
    up = any(one.state == "running" for one in engines) and all(one.deaths < CRASH_LOOP_DEATHS for one in engines)
    told = {"placement": "separate", "environment": "e", "is_live": True, "stopping_seconds": None} | fields
    return (
        up
        and told["is_live"]
        and told["stopping_seconds"] is None
        and told["environment"] == "e"
        and told["placement"] == "separate"
    )


@pytest.mark.parametrize("state", STATES)
def test_the_first_look(state: str) -> None:
    """A web service that starts beside a worker that is ready begins no child for the time of two beats."""
    ready = {state for state, letters in ROWS if letters[2] == "A"} | {"serves other queues only"}
    ready -= {"absent", "starting", "restarting", "stalled", "stopping", "left"}
    decision = decide(OWN, look_at(state), Memory(), NOW)
    expected = NONE if state not in ready else MEANING["M"] if state == "serves other queues only" else ALL
    assert decision.yields == expected
    assert decision.action == ("stand_by" if expected == ALL else "run")


@pytest.mark.parametrize("before", [Memory(), *BEFORE.values()])
def test_no_answer_of_the_database_changes_nothing(before: Memory) -> None:
    """Also not the first one: nothing is started before anything is known."""
    decision = decide(OWN, None, before, NOW)
    assert (decision.action, decision.yields, decision.changed) == ("keep", before.yields, False)
    assert decision.memory == before
    assert decision.look_again_seconds <= 2


REASONS = {
    "starting": "has no engine that is ready",
    "ready, the same beat": "was seen ready for 1 of 2 beats",
    "restarting": "has no engine that is ready",
    "stalled": "has an engine that does not tick (stalled)",
    "crash-looping": "crash-loops (3 engines died in a row soon after their start: x)",
    "silent": "has not beaten for 61 s",
    "stopping": "began to stop 1 s ago",
    "another environment": "belongs to environment 'blue', not 'e'",
    "knows other jobs only": "knows none of this app's jobs",
    "claims nothing": "beats but does not claim: j of queue q waits for 60 s",
}


@pytest.mark.parametrize(("state", "text"), REASONS.items(), ids=lambda value: value)
def test_why_a_worker_is_not_counted_on(state: str, text: str) -> None:
    """In words for doctor and the log."""
    decision = decide(OWN, look_at(state), COUNTING, NOW)
    assert [(reason.worker, reason.text) for reason in decision.reasons] == [("w", text)]
    assert f"the separate worker on h (pid 1) {text}" in decision.text


def test_a_worker_that_is_counted_on_needs_no_reason() -> None:
    decision = decide(OWN, look_at("ready, a new beat"), STANDING, NOW)
    assert decision.reasons == ()
    assert decision.text == "the embedded worker stands by: separate workers serve its jobs"
    assert decide(OWN, Look(), RUNNING, NOW).text == "the embedded worker runs: no separate worker lives"


# Which pairs: queues and jobs of both sides

TWO = Own(environment="e", jobs={"j": "q", "k": "media"})


def trusting(own: Own, *workers: Any, waiting: Any = ()) -> Decision:
    """What becomes of these workers once they are trusted."""
    known = {worker.id: track(pairs=NONE) for worker in workers}
    return decide(own, Look(workers=workers, waiting=tuple(waiting)), replace(RUNNING, tracks=known), NOW)


@pytest.mark.parametrize(
    ("own", "workers", "yields", "action"),
    [
        (TWO, [{"jobs": {"j", "k"}}], {("*", "j"), ("*", "k")}, "stand_by"),
        (TWO, [{"jobs": {"j"}}], {("*", "j")}, "run"),
        (TWO, [{"jobs": {"j"}}, {"jobs": {"k"}}], {("*", "j"), ("*", "k")}, "stand_by"),
        (TWO, [{"jobs": {"j", "k"}, "queues": ("media",)}], {("media", "j"), ("media", "k")}, "run"),
        (TWO, [{"jobs": {"j"}, "queues": ("q",)}, {"jobs": {"k"}, "queues": ("media",)}], None, "stand_by"),
        (TWO, [{"jobs": {"k"}, "queues": ("q",)}, {"jobs": {"j"}, "queues": ("media",)}], None, "run"),
        (TWO, [{"jobs": {"j", "k", "x"}}], {("*", "j"), ("*", "k")}, "stand_by"),
        (replace(TWO, queues=("media",)), [{"jobs": {"k"}}], {("*", "k")}, "stand_by"),
        (replace(TWO, queues=("media",)), [{"jobs": {"j"}}], {("*", "j")}, "run"),
        (replace(TWO, separate_queues=("media",)), [{"jobs": {"j"}}], {("*", "j")}, "stand_by"),
        (replace(TWO, separate_queues=("q",)), [{"jobs": {"j"}}], {("*", "j")}, "run"),
        (Own(environment="e", jobs={"j": None}), [{"jobs": {"j"}}], {("*", "j")}, "stand_by"),
        (Own(environment="e", jobs={"j": None}), [{"jobs": {"j"}, "queues": ("q",)}], {("q", "j")}, "run"),
        (Own(environment="e", jobs={}), [{"jobs": {"j"}}], set(), "run"),
    ],
)
def test_which_pairs_are_left(own: Own, workers: list[dict[str, Any]], yields: set[Pair] | None, action: str) -> None:
    """All pairs yielded: stand by. A queue that is not known here could be any."""
    seen = [
        seen_worker(f"w{number}", **{**fields, "jobs": frozenset(fields["jobs"])})
        for number, fields in enumerate(workers)
    ]
    decision = trusting(own, *seen)
    assert decision.action == action
    assert yields is None or decision.yields == yields


def test_work_that_nobody_declared_keeps_the_embedded_worker_for_a_while() -> None:
    """Enqueued into a queue of its own, served by no separate worker: no start and stop for each run of it."""
    media = seen_worker(queues=("q",))
    stray = trusting(OWN, media, waiting=[work(queue="odd")])
    assert (stray.action, stray.yields) == ("run", {("q", "j")})
    later = decide(OWN, Look(workers=(media,)), stray.memory, NOW + 2)
    assert later.action == "run"
    long_after = decide(OWN, Look(workers=(media,)), replace(stray.memory, looked_at=NOW + 600), NOW + 601)
    assert long_after.action == "stand_by"


@pytest.mark.parametrize(
    "waiting", [work("not ours", "odd"), work(queue="odd", paused=True)], ids=["job of others", "paused"]
)
def test_work_that_is_not_for_us_keeps_nothing_running(waiting: Any) -> None:
    assert trusting(OWN, seen_worker(queues=("q",)), waiting=[waiting]).action == "stand_by"


@pytest.mark.parametrize("rule", [{"queues": ("q",)}, {"separate_queues": ("odd",)}], ids=str)
def test_work_in_a_queue_we_do_not_serve_keeps_nothing_running(rule: Any) -> None:
    own = replace(OWN, **rule)
    assert trusting(own, seen_worker(queues=("q",)), waiting=[work(queue="odd")]).action == "stand_by"


# When to look again


def test_it_looks_again_when_time_alone_changes_the_state() -> None:
    """At the end of a hold to the tenth of a second, else every two seconds."""
    leaving = seen_worker(beat=10.0, stopping_seconds=29.0, engines=())
    assert decide(OWN, Look(workers=(leaving,)), STANDING, NOW).look_again_seconds == pytest.approx(1.0)
    assert decide(OWN, Look(), RUNNING, NOW).look_again_seconds == 2.0


def test_a_dwell_grows_with_each_takeover() -> None:
    """The first one is free. Fails without the dwell in `_ready`."""
    ready = seen_worker(beat=10.0)

    def left(takeovers: int, ready_for: float) -> bool:
        known = {"w": track(trusted=False, ready_beats=50, ready_since=NOW - ready_for)}
        before = memory(action="run", tracks=known, takeovers=(NOW - 60,) * takeovers)
        return decide(OWN, Look(workers=(ready,)), before, NOW).action == "stand_by"

    dwell = {1: 0, 2: 20, 3: 40, 4: 80, 5: 160, 6: 320, 7: 600, 20: 600}
    for takeovers, seconds in dwell.items():
        assert left(takeovers, seconds)
        assert not left(takeovers, seconds - 1) or seconds == 0
    long_ago = memory(action="run", tracks={"w": track(trusted=False)}, takeovers=(NOW - 3601,) * 9)
    assert decide(OWN, Look(workers=(ready,)), long_ago, NOW).action == "stand_by"

"""Who serves what: each lack by itself, which comes first, and what is no lack."""

from __future__ import annotations

from typing import Any

import pytest

from lodger.model.coverage import ANY_JOB, ANY_QUEUE, NEAREST, EngineState, covers, is_covered, lack, not_claiming
from tests.support.seen import seen_worker, work

PAIR = ("q", "j")
DEAD_ENGINE = {"engines": (EngineState(state="restarting", error="no module app"),), "jobs": frozenset()}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"queues": ("q",)},
        {"queues": ("a", "q")},
        {"jobs": frozenset({"i", "j"})},
        {"placement": "child"},
        {"engines": (EngineState(state="stalled"), EngineState())},
        {"engines": (EngineState(deaths=2),)},
        {"engines": (EngineState(yields=frozenset({("other", "j"), (ANY_QUEUE, "i"), ("other", ANY_JOB)})),)},
        {"engines": (EngineState(yields=frozenset({PAIR})), EngineState())},
        {"engines": (EngineState(full=True),)},
    ],
)
def test_what_covers_a_pair(fields: dict[str, Any]) -> None:
    assert covers(seen_worker(**fields), PAIR, "e")


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        ({"is_live": False, "beat_seconds": 75.4}, "gone", "has not beaten for 75 s"),
        ({"stopping_seconds": 3.0}, "stopping", "began to stop 3 s ago"),
        ({"stopping_seconds": 3.0, "is_live": False}, "stopping", "began to stop 3 s ago"),
        ({"environment": "blue"}, "environment", "belongs to environment 'blue', not 'e'"),
        ({"queues": ("b", "a")}, "queue", "serves only a, b"),
        ({"engines": ()}, "engine", "has no engine that is ready"),
        ({"engines": (EngineState(state="starting"),)}, "engine", "has no engine that is ready"),
        ({"engines": (EngineState(state="stalled"),)}, "engine", "has an engine that does not tick (stalled)"),
        (DEAD_ENGINE, "engine", "has no engine that is ready: no module app"),
        (
            {"engines": (EngineState(deaths=3, error="boom"),)},
            "engine",
            "crash-loops (3 engines died in a row soon after their start: boom)",
        ),
        ({"jobs": frozenset({"i"})}, "job", "does not know the job j"),
        ({"engines": (EngineState(yields=frozenset({PAIR})),)}, "yields", "leaves it to a separate worker"),
        ({"engines": (EngineState(yields=frozenset({(ANY_QUEUE, "j")})),)}, "yields", "leaves it to a separate worker"),
        (
            {"engines": (EngineState(yields=frozenset({("q", ANY_JOB)})),)},
            "apart",
            "never takes from queue q, one of LODGER_SEPARATE_QUEUES",
        ),
        (
            {"engines": (EngineState(apart=frozenset({"j"})),), "jobs": frozenset()},
            "apart",
            "never takes j, which is declared embeddable=False",
        ),
    ],
)
def test_each_lack_by_itself(fields: dict[str, Any], kind: str, told: str) -> None:
    """Fails, one case each, when a condition of `lack` is taken away."""
    found = lack(seen_worker(**fields), PAIR, "e")
    assert found is not None
    assert (found.kind, found.text) == (kind, told)
    assert not covers(seen_worker(**fields), PAIR, "e")


def test_every_kind_of_lack_has_its_place() -> None:
    """The lacks of a worker are found from far to near, so that its nearest one is what is left to mend."""
    lacking: dict[str, dict[str, Any]] = {
        "environment": {"environment": "blue"},
        "queue": {"queues": ("a",)},
        "apart": {"engines": (EngineState(apart=frozenset({"j"})),)},
        "engine": {"engines": ()},
        "job": {"jobs": frozenset()},
        "yields": {"engines": (EngineState(yields=frozenset({PAIR})),)},
    }
    assert [*NEAREST[2:]] == [*lacking]
    while lacking:
        fields = {name: value for lacks in reversed(lacking.values()) for name, value in lacks.items()}
        found = lack(seen_worker(**fields), PAIR, "e")
        assert found is not None
        assert found.kind == next(iter(lacking)) or (found.kind == "engine" and not fields["engines"])
        del lacking[next(iter(lacking))]


def test_one_of_many_is_enough() -> None:
    workers = [seen_worker(jobs=frozenset()), seen_worker(queues=("a",)), seen_worker()]
    assert is_covered(PAIR, workers, "e")
    assert not is_covered(PAIR, workers[:2], "e")
    assert not is_covered(PAIR, [], "e")


@pytest.mark.parametrize(
    ("fields", "waiting", "blamed"),
    [
        ({}, [work(oldest=40)], 40),
        ({"claim_seconds": 31.0}, [work(oldest=40), work(queue="p", oldest=50)], 50),
        ({"claim_seconds": 31.0}, [], None),
        ({"claim_seconds": 29.0}, [work(oldest=4000)], None),
        ({}, [work(oldest=4)], None),
        ({"beat_seconds": 8.0}, [work(oldest=12)], None),
        ({"beat_seconds": 8.0}, [work(oldest=13)], 13),
        ({}, [work(oldest=40, paused=True)], None),
        ({}, [work("other", oldest=40)], None),
        ({"queues": ("a",)}, [work(oldest=40)], None),
        ({"engines": (EngineState(full=True),)}, [work(oldest=40)], None),
        ({"environment": "blue"}, [work(oldest=40)], None),
    ],
)
def test_a_worker_that_should_have_claimed(fields: dict[str, Any], waiting: list[Any], blamed: float | None) -> None:
    """Fails, one case each, when a condition of `not_claiming` is taken away."""
    found = not_claiming(seen_worker(**fields), waiting, "e")
    assert (found and found.oldest_seconds) == blamed

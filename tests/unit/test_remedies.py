"""The advice: a command that the command line takes, and variables that there are."""

from __future__ import annotations

from typing import Any

import pytest

from lodger.model.coverage import ANY_JOB, ANY_QUEUE, EngineState
from lodger.model.remedies import Here, nearest, reason, remedy, scheduler_command, shown, worker_command
from tests.docs.commands import complaint
from tests.support.seen import seen_worker

PAIR = ("media", "transcode")
KNOWS: dict[str, Any] = {"jobs": frozenset({"transcode"})}
YIELDS = (EngineState(yields=frozenset({(ANY_QUEUE, "transcode")})),)
APART = (EngineState(apart=frozenset({"transcode"})),)
QUEUE_APART = (EngineState(yields=frozenset({("media", ANY_JOB)})),)
HERE = Here(environment="e", app="shop.jobs:lodger")
FILES = {"shop/jobs.py": "lodger = Lodger()\n"}


@pytest.mark.parametrize(
    ("fields", "kind", "advice"),
    [
        ({"is_live": False, "beat_seconds": 90.0}, "gone", "EMBEDDED_JOB_WORKER=auto"),
        ({"stopping_seconds": 3.0}, "stopping", "if no other one is about to start: "),
        ({"environment": "blue"}, "environment", "give both LODGER_ENVIRONMENT=e"),
        ({"queues": ("mail",), **KNOWS}, "queue", "lodger worker --queues media; or let that one work on more: "),
        ({"queues": ("mail",), **KNOWS}, "queue", "LODGER_QUEUES=mail,media"),
        ({"engines": (), **KNOWS}, "engine", "its log says more"),
        ({"placement": "child", "engines": APART}, "apart", "start a separate one: LODGER_ENVIRONMENT=e LODGER_APP="),
        ({"placement": "child", "engines": QUEUE_APART}, "apart", "lodger worker --queues media"),
        ({}, "job", "deploy the code of transcode to that worker"),
        ({"placement": "child", "engines": YIELDS, **KNOWS}, "yields", "takes over by itself"),
    ],
)
def test_each_lack_has_its_advice(fields: dict[str, Any], kind: str, advice: str) -> None:
    near = nearest(PAIR, [seen_worker(**fields)], "e")
    assert near is not None
    assert near.lack.kind == kind
    assert advice in remedy([PAIR], near, HERE)
    assert reason(near).startswith("the ")


def test_the_nearest_lacks_least_and_of_equals_is_the_newest() -> None:
    """`store.coverage` gives the newest first. Fails with min instead of max, or when the order is turned."""
    workers = [seen_worker("gone", is_live=False), seen_worker("new"), seen_worker("old"), seen_worker(queues=("p",))]
    near = nearest(PAIR, workers, "e")
    assert near is not None
    assert (near.worker.id, near.lack.kind) == ("new", "job")
    assert nearest(PAIR, [], "e") is None


@pytest.mark.parametrize("command", [worker_command(HERE), worker_command(HERE, ("a", "b")), scheduler_command(HERE)])
def test_the_commands_are_ones(command: str) -> None:
    assert complaint(command, FILES) == ""


def test_the_usual_environment_is_not_named() -> None:
    assert worker_command(Here()) == "LODGER_APP=package.module:name lodger worker"
    assert worker_command(Here(environment="a b", app="x:y")) == "LODGER_ENVIRONMENT='a b' LODGER_APP=x:y lodger worker"


def test_many_names_are_cut() -> None:
    assert shown("abba") == "a, b"
    assert shown("abcdefg") == "a, b, c, d, e and 2 more"

"""What settings refuse, and in which words."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from lodger import ConfigurationError
from lodger.processes.manners import JobPriority
from lodger.settings import Settings, read


@pytest.mark.parametrize("text", ["media, video", " media,video ,", "media,,video"])
def test_queues_are_read_from_a_list(text: str) -> None:
    assert read(environ={"LODGER_SEPARATE_QUEUES": text}).separate_queues == ("media", "video")


def test_no_queues_is_an_empty_list() -> None:
    assert read(environ={"LODGER_SEPARATE_QUEUES": ""}).separate_queues == ()
    assert read(environ={}).separate_queues == ()


@pytest.mark.parametrize("variable", ["LODGER_QUEUES", "LODGER_SEPARATE_QUEUES"])
@pytest.mark.parametrize("name", ["media;video", "two words", "*", "x" * 65])
def test_what_no_queue_is_called_is_refused(variable: str, name: str) -> None:
    """Fails without `_queue_names`: the setting would silently mean nothing."""
    with pytest.raises(ConfigurationError) as refused:
        read(environ={variable: f"default,{name}"})
    assert str(refused.value).startswith(f"{variable}: {name!r} is not allowed; allowed: names of queues")


def test_a_queue_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="LODGER_SEPARATE_QUEUES: 5"):
        read({"separate_queues": [5]})


def test_settings_survive_the_way_to_an_engine() -> None:
    settings = Settings(queues=("a", "b"), separate_queues=("c",))
    assert Settings.from_json(settings.to_json()) == settings


def test_a_misspelt_variable_is_questioned_once(caplog: pytest.LogCaptureFixture) -> None:
    """And one that means something else is not. Fails when only what is known is read."""
    for _ in range(2):
        read({}, {"LODGER_CONCURENCY": "3", "LODGER_CONCURRENCY": "3", "LODGER_TEAM": "shop"})
    (told,) = caplog.messages
    assert told == "LODGER_CONCURENCY is set, which is no setting of Lodger's: is LODGER_CONCURRENCY meant?"


@pytest.mark.parametrize("text", ["lazy", "", "IDLE", "idle,nice"])
def test_an_unknown_word_is_refused_with_those_that_are_known(text: str) -> None:
    """Fails without the look at `words`."""
    with pytest.raises(ConfigurationError) as refused:
        read(environ={"LODGER_JOB_PRIORITY": text})
    assert str(refused.value) == f"LODGER_JOB_PRIORITY: {text!r} is not allowed; allowed: idle, nice, normal"


def test_the_words_are_those_of_the_code() -> None:
    allowed = next(one.metadata["words"] for one in fields(Settings) if one.name == "job_priority")
    assert allowed == get_args(JobPriority)
    assert [read({"job_priority": one}).job_priority for one in allowed] == list(allowed)

"""EMBEDDED_SCHEDULE_DAEMON."""

from __future__ import annotations

import pytest

from lodger.errors import ConfigurationError
from lodger.scheduler.mode import carries_daemon, read_schedule_mode


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("auto", "auto"),
        ("AUTO ", "auto"),
        ("true", "on"),
        ("1", "on"),
        ("false", "off"),
        ("False", "off"),
        ("0", "off"),
    ],
)
def test_values(text: str, mode: str) -> None:
    assert read_schedule_mode({"EMBEDDED_SCHEDULE_DAEMON": text}) == mode


def test_unset_is_auto() -> None:
    assert read_schedule_mode({}) == "auto"


@pytest.mark.parametrize("text", ["", "yes", "child", "on"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_schedule_mode({"EMBEDDED_SCHEDULE_DAEMON": text})
    assert caught.value.field == "EMBEDDED_SCHEDULE_DAEMON"
    assert repr(text) in str(caught.value)


def test_auto_goes_with_the_worker() -> None:
    assert carries_daemon("auto", has_worker=True)
    assert not carries_daemon("auto", has_worker=False)
    assert carries_daemon("on", has_worker=False)
    assert not carries_daemon("off", has_worker=True)

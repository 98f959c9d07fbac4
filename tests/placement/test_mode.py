"""EMBEDDED_JOB_WORKER and its other spelling: a value means what the table says, or is refused by name."""

from __future__ import annotations

import pytest

from lodger import ConfigurationError
from lodger.placement.mode import read_mode


@pytest.mark.parametrize(
    ("value", "mode"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("true", "child"),
        ("1", "child"),
        ("child", "child"),
        (" Child ", "child"),
        ("thread", "thread"),
        ("false", "off"),
        ("0", "off"),
    ],
)
def test_each_value(value: str | None, mode: str) -> None:
    assert read_mode({} if value is None else {"EMBEDDED_JOB_WORKER": value}) == mode


@pytest.mark.parametrize("value", ["", "yes", "process", "none"])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_mode({"EMBEDDED_JOB_WORKER": value})
    for word in ("EMBEDDED_JOB_WORKER", repr(value), "auto", "thread", "false"):
        assert word in str(caught.value)


@pytest.mark.parametrize(("value", "mode"), [("true", "auto"), ("1", "auto"), ("false", "off"), ("0", "off")])
def test_the_other_spelling(value: str, mode: str) -> None:
    assert read_mode({"JOB_WORKER_ENABLED": value}) == mode


@pytest.mark.parametrize(("ours", "other"), [("false", "true"), ("child", "false"), ("auto", "false")])
def test_the_two_may_not_contradict(ours: str, other: str) -> None:
    with pytest.raises(ConfigurationError, match="JOB_WORKER_ENABLED"):
        read_mode({"EMBEDDED_JOB_WORKER": ours, "JOB_WORKER_ENABLED": other})

"""The helper that stands in for sleeping."""

from __future__ import annotations

import time

import pytest

from tests.support.wait import wait_until


def test_what_was_waited_for_is_returned() -> None:
    answers = iter([None, "", "there"])
    assert wait_until(lambda: next(answers), 5, "an answer") == "there"


def test_the_failure_says_what_was_waited_for_and_what_was_seen() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"waited 0.01 s for the moon; last seen: \[\]"):
        wait_until(list, 0.01, "the moon")


def test_there_is_a_look_after_the_deadline() -> None:
    """A machine that stands still for the whole timeout must not fail the test: the answer may be there."""
    answers = iter([False, True])

    def slow_look() -> bool:
        time.sleep(0.02)  # the machine standing still
        return next(answers)

    assert wait_until(slow_look, 0.01, "an answer")

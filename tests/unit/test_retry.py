"""The waits between attempts."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.errors import InvalidInput
from lodger.model.answers import RetryAfter, Snooze
from lodger.model.retry import MAX_ATTEMPTS, MAX_DELAY_SECONDS, Retry


def waits(retry: Retry, attempts: int) -> list[float]:
    rand = random.Random(1)
    return [retry.delay_seconds(attempt, rand) for attempt in range(1, attempts + 1)]


def test_without_jitter_the_waits_grow_by_the_factor_up_to_the_maximum() -> None:
    """The documented formula, by hand."""
    retry = Retry(first_seconds=5, factor=3, max_seconds=100, jitter=0)
    assert waits(retry, 6) == [5, 15, 45, 100, 100, 100]


def test_a_factor_of_one_waits_the_same_each_time() -> None:
    """The simplest schedule."""
    assert waits(Retry(first_seconds=7, factor=1, jitter=0), 3) == [7, 7, 7]


@given(
    attempt=st.integers(1, MAX_ATTEMPTS),
    first=st.floats(0, MAX_DELAY_SECONDS),
    factor=st.floats(1, 100),
    top=st.floats(0, MAX_DELAY_SECONDS),
    jitter=st.floats(0, 1),
    seed=st.integers(),
)
def test_every_wait_lies_within_the_jitter_around_the_bounded_power(
    attempt: int, first: float, factor: float, top: float, jitter: float, seed: int
) -> None:
    """No policy and no attempt overflows, goes negative or leaves its band."""
    retry = Retry(first_seconds=first, factor=factor, max_seconds=top, jitter=jitter)
    wait = retry.delay_seconds(attempt, random.Random(seed))
    plain = min(first * factor ** min(attempt - 1, 64), top)
    assert plain * (1 - jitter) * 0.999999 <= wait <= plain * (1 + jitter) * 1.000001


def test_jitter_spreads_a_crowd_over_its_whole_band() -> None:
    """Failures of one instant must not come back at one instant."""
    rand = random.Random(1)
    crowd = [Retry(first_seconds=100, jitter=0.2).delay_seconds(1, rand) for _ in range(1000)]
    assert 80 <= min(crowd) < 82
    assert 118 < max(crowd) <= 120
    assert len(set(crowd)) == 1000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("max_attempts", MAX_ATTEMPTS + 1),
        ("max_attempts", True),
        ("max_attempts", "5"),
        ("first_seconds", -0.1),
        ("first_seconds", float("nan")),
        ("first_seconds", float("inf")),
        ("factor", 0.9),
        ("factor", 101),
        ("max_seconds", -1),
        ("max_seconds", MAX_DELAY_SECONDS * 2),
        ("jitter", 1.1),
        ("jitter", None),
        ("on", (int,)),
        ("on", ("OSError",)),
        ("on", (OSError("an instance"),)),
    ],
)
def test_a_policy_that_makes_no_schedule_is_refused_by_name(field: str, value: Any) -> None:
    """The error names the option as the user wrote it."""
    with pytest.raises(InvalidInput) as caught:
        Retry(**{field: value})
    assert caught.value.field == f"retry.{field}"


def test_the_row_keeps_the_numbers_and_not_the_classes() -> None:
    """Classes have no JSON; the policy comes back from the numbers alone."""
    retry = Retry(max_attempts=3, first_seconds=1, on=(OSError,))
    numbers = json.loads(json.dumps(retry.to_json()))
    assert Retry(**numbers, on=(OSError,)) == retry


@pytest.mark.parametrize("answer", [Snooze, RetryAfter])
@pytest.mark.parametrize("seconds", [-1, MAX_DELAY_SECONDS + 1, float("nan"), float("inf"), "5", None, True])
def test_an_answer_with_a_wait_outside_the_bounds_is_refused(answer: type[Snooze | RetryAfter], seconds: Any) -> None:
    """A job that computes nonsense hears of it where it raises."""
    with pytest.raises(InvalidInput, match="seconds"):
        answer(seconds)


@pytest.mark.parametrize("answer", [Snooze, RetryAfter])
@pytest.mark.parametrize("seconds", [0, 0.5, MAX_DELAY_SECONDS])
def test_an_answer_keeps_its_wait(answer: type[Snooze | RetryAfter], seconds: float) -> None:
    """The bounds themselves are allowed."""
    assert answer(seconds).seconds == seconds

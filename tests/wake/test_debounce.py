"""The arithmetic of windows, with a clock that is a number."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.wake.debounce import Debounce


def test_the_first_is_due_at_once() -> None:
    debounce = Debounce(0.1)
    debounce.offer(["a", "b"], 5.0)
    assert debounce.take(5.0) == ["a", "b"]
    assert debounce.next_at is None


def test_what_comes_within_the_window_is_due_at_its_end() -> None:
    debounce = Debounce(0.1)
    debounce.offer(["a"], 5.0)
    debounce.take(5.0)
    debounce.offer(["a"], 5.01)
    debounce.offer(["a"], 5.09)
    assert debounce.next_at == pytest.approx(5.1)
    assert debounce.take(5.09) == []
    assert debounce.take(5.11) == ["a"]
    assert debounce.take(9.0) == []


def test_each_queue_has_a_window_of_its_own() -> None:
    debounce = Debounce(0.1)
    debounce.offer(["a"], 5.0)
    debounce.take(5.0)
    debounce.offer(["b"], 5.01)
    assert debounce.take(5.01) == ["b"]


def test_who_claims_a_queue_notifies_it_and_the_others_wait() -> None:
    debounce = Debounce(0.1)
    assert debounce.claim(["a", "b"], 5.0) == ["a", "b"]
    assert debounce.claim(["a", "c"], 5.05) == ["c"]
    assert debounce.take(5.2) == ["a"]


def test_a_queue_that_waits_cannot_be_claimed() -> None:
    debounce = Debounce(0.1)
    debounce.offer(["a"], 5.0)
    assert debounce.claim(["a"], 5.0) == []


def test_what_could_not_be_sent_waits_for_the_next_try() -> None:
    debounce = Debounce(0.1)
    debounce.offer(["a"], 5.0)
    debounce.put_back(debounce.take(5.0), 7.0)
    debounce.offer(["a"], 5.5)
    assert debounce.take(6.9) == []
    assert debounce.take(7.0) == ["a"]


def test_at_the_end_all_are_due() -> None:
    debounce = Debounce(0.1)
    debounce.claim(["a"], 5.0)
    debounce.offer(["a"], 5.01)
    assert debounce.take(5.02, all_of_them=True) == ["a"]


def test_names_without_end_are_not_kept() -> None:
    debounce = Debounce(0.1)
    for number in range(1000):
        debounce.claim([f"tenant-{number}"], float(number))
    assert len(debounce._free_at) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=40))
def test_nothing_is_lost_and_no_window_is_broken(announced: list[tuple[str, int]]) -> None:
    """After every announcement its queue is notified, within a window; never twice within one."""
    debounce, now, sent, asked = Debounce(10), 0, [], []
    for queue, pause in announced:
        now += pause
        debounce.offer([queue], now)
        asked.append((queue, now))
        sent += [(one, now) for one in debounce.take(now)]
    while (at := debounce.next_at) is not None:
        now = max(now, int(at))
        sent += [(one, now) for one in debounce.take(now)]
    for queue, at in asked:
        assert any(one == queue and when >= at for one, when in sent)
    for name in "abc":
        times = [when for one, when in sent if one == name]
        assert all(later - earlier >= 10 for earlier, later in pairwise(times))

"""Outcomes that stand aside."""

from __future__ import annotations

import pytest

from lodger.worker import answers
from lodger.worker.answers import Answers


def test_those_aside_come_back_though_others_join_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when each that joins them makes all wait another second."""
    now = [0.0]
    monkeypatch.setattr(answers.time, "monotonic", lambda: now[0])
    queue = Answers()
    queue.set_aside(["first"])  # type: ignore[list-item]
    for _ in range(4):
        now[0] += 0.4
        if queue.patience() == 0:
            break
        queue.set_aside(["later"])  # type: ignore[list-item]
    assert queue.take()[0] == "first"

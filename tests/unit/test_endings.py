"""What the worker's own log says of attempts that failed."""

from __future__ import annotations

import logging
import random
import re

import pytest

from lodger import Retry
from lodger.model.outcome import Cancelled, Ending, Expired, Raised, Returned, Snoozed, Stopped, decide
from lodger.model.run import RunError
from lodger.worker.attempt.endings import log_failure
from tests.unit.test_decide import claimed

ERROR = RunError(type="ValueError", message="no", traceback="Traceback: here")


@pytest.mark.parametrize(
    ("attempt", "level", "told"),
    [
        (1, "WARNING", r"run .* of j failed \(attempt 1 of 2\): ValueError: no; tried again in \d+ s"),
        (2, "ERROR", r"run .* of j failed \(attempt 2 of 2\): ValueError: no; it is not tried again\nTraceback: here"),
    ],
)
def test_each_failed_attempt_is_told(attempt: int, level: str, told: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who reads the worker's log must not have to ask the database whether jobs fail."""
    run = claimed(attempt=attempt, max_attempts=2)
    with caplog.at_level(logging.WARNING, "lodger.worker"):
        log_failure(decide(run, Raised(ERROR, retryable=True), Retry(max_attempts=2), random.Random(1)))
    (record,) = caplog.records
    assert record.levelname == level
    assert re.fullmatch(told, record.getMessage())


@pytest.mark.parametrize("how", [Returned(None), Cancelled("by somebody"), Expired(), Snoozed(1), Stopped()], ids=repr)
def test_what_did_not_fail_is_not_told(how: Ending, caplog: pytest.LogCaptureFixture) -> None:
    """Fails when every error is told: a cancel is one in the table."""
    log_failure(decide(claimed(), how, Retry(), random.Random(1)))
    assert caplog.records == []

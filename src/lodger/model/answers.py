"""What a job raises to answer something else than success or failure."""

from __future__ import annotations

from lodger.errors import InvalidInput
from lodger.model.retry import MAX_DELAY_SECONDS


class Answer(Exception):
    """Root of the answers; not an error of Lodger."""


class Snooze(Answer):
    """Run me again in ``seconds``; this was no attempt."""

    def __init__(self, seconds: float) -> None:
        """Refuse waits outside 0 to 30 days."""
        self.seconds = _wait("Snooze seconds", seconds)
        super().__init__(f"snooze {seconds} s")


class RetryAfter(Answer):
    """This attempt failed; try again in ``seconds`` (while attempts are left)."""

    def __init__(self, seconds: float, reason: str = "asked to be retried") -> None:
        """Refuse waits outside 0 to 30 days; ``reason`` is shown as the error."""
        self.seconds = _wait("RetryAfter seconds", seconds)
        self.reason = reason
        super().__init__(reason)


class Cancel(Answer):
    """End this run as CANCELLED; ``reason`` is shown."""

    def __init__(self, reason: str = "cancelled by the job itself") -> None:
        """Keep the ``reason``."""
        self.reason = reason
        super().__init__(reason)


class Interrupted(Answer):
    """I saw ``run.stopping`` and stopped: give the run back, this was no attempt."""


def _wait(field: str, seconds: float) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise InvalidInput(field, seconds, f"0 to {MAX_DELAY_SECONDS:.0f}")
    return float(seconds)

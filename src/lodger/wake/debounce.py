"""At most one notification per queue and window, the last one never lost. No clock, no I/O, no lock.

    announced   |A    B C      D                  E
    notified    |A         *          *           E          each * at the end of the window before it

What is taken is sent after it was taken: an announcement that finds its queue waiting is covered by it.
"""

from __future__ import annotations

from collections.abc import Collection


class Debounce:
    """When which queue may be notified. ``waiting`` holds what is to be sent, and from when on."""

    def __init__(self, window_seconds: float) -> None:
        """Let ``window_seconds`` pass between two notifications of a queue."""
        self.waiting: dict[str, float] = {}
        self._window = window_seconds
        self._free_at: dict[str, float] = {}

    def offer(self, queues: Collection[str], now: float) -> None:
        """Have ``queues`` notified: at once, or when their window ends."""
        for queue in queues:
            self.waiting.setdefault(queue, max(now, self._free_at.get(queue, now)))

    def claim(self, queues: Collection[str], now: float) -> list[str]:
        """Return those of ``queues`` that the caller may notify now, itself; the others wait their turn."""
        free = [q for q in queues if q not in self.waiting and self._free_at.get(q, now) <= now]
        self._close_windows(free, now)
        self.offer([q for q in queues if q not in free], now)
        return free

    def take(self, now: float, *, all_of_them: bool = False) -> list[str]:
        """Return the queues to notify now. Take *before* sending: what comes meanwhile waits again."""
        due = [queue for queue, at in self.waiting.items() if all_of_them or at <= now]
        for queue in due:
            del self.waiting[queue]
        self._close_windows(due, now)
        return due

    def put_back(self, queues: Collection[str], at: float) -> None:
        """Have ``queues`` taken again, not before ``at``: they could not be sent."""
        for queue in queues:
            self.waiting[queue] = at

    @property
    def next_at(self) -> float | None:
        """Return when something is to be taken next, or None."""
        return min(self.waiting.values(), default=None)

    def _close_windows(self, queues: Collection[str], now: float) -> None:
        # Names may be made up by the app without end: windows that are over are not kept.
        self._free_at = {queue: at for queue, at in self._free_at.items() if at > now}
        self._free_at.update(dict.fromkeys(queues, now + self._window))

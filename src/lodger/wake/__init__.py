"""Waking idle workers sooner than their next poll.

    enqueue committed ── Announcer ──┬── datagram ──> wake socket of each Listener of this host and user
                                     └── NOTIFY ────> LISTEN connection of each Listener (PostgreSQL only,
                                         at most every 100 ms per queue)       │
                                                                               └──> on_wake(queues)

Polling is always right; all of this only makes it faster. So nothing here may fail, block or slow down an
enqueue or a worker: what goes wrong is logged once and costs a poll's wait, nothing else. The one rule that
must hold is that an announcement made after a commit is never *silently* swallowed while its receiver is
alive: it is delivered, or merged into a later one, or becomes "look at everything" (an empty set).
"""

"""What is said: names of queues, one a line. Nothing at all means "look at every queue"."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

from lodger.store.sql import Tables, Terms, statement

EVERYTHING: Final[frozenset[str]] = frozenset()
MOST_QUEUES: Final = 50  # more in one message are not worth naming; and it must fit into a datagram
LONGEST_CHANNEL: Final = 63  # PostgreSQL's NAMEDATALEN


def encode(queues: Collection[str]) -> bytes:
    """Return the message that names ``queues``."""
    if len(queues) > MOST_QUEUES:
        return b""
    return "\n".join(queues).encode()


def decode(message: bytes) -> frozenset[str]:
    """Return the queues that ``message`` names; what cannot be read means everything."""
    try:
        return frozenset(message.decode().split("\n")) if message else EVERYTHING
    except UnicodeDecodeError:
        return EVERYTHING


def merged(heard: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return all queues of several messages; one "everything" among them wins."""
    queues: set[str] = set()
    for one in heard:
        if not one:
            return EVERYTHING
        queues |= one
    return frozenset(queues)


def payloads(queues: Collection[str]) -> list[str]:
    """Return the NOTIFY payloads for ``queues``: one each, as PostgreSQL merges equal ones."""
    return [""] if len(queues) > MOST_QUEUES else list(queues)


def channel(tables: Tables, suffix: str = "") -> str:
    """Return the NOTIFY channel of the app with these tables; one database can hold several apps."""
    name = f"{tables.name('wake')}{suffix}"
    if len(name.encode()) <= LONGEST_CHANNEL:
        return name
    return f"lodger_wake_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@statement
def notify_queues(t: Terms) -> str:
    """Notify all listeners of ``:queues``, when this commits. PostgreSQL only."""
    name = channel(t.tables).replace("'", "''")
    return f"SELECT pg_notify('{name}', queue) FROM unnest(CAST(:queues AS text[])) AS queue"

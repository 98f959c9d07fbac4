"""Run ids: UUID version 7 (RFC 9562, section 5.7), made by the client.

A client-made id lets an enqueue whose commit reply was lost be sent again without a second run;
version 7 begins with the time, so new rows land at the end of every index.
Ids are lower-case text of 36 characters everywhere in Python; each database stores 16 bytes.
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from lodger.errors import InvalidInput

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
PATTERN: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id(unix_ms: int | None = None) -> str:
    """Return a new id for the time ``unix_ms`` (milliseconds, default now).

    Ids that a thread makes one after the other are in order: behind the millisecond comes its fraction in
    12 bits (RFC 9562, section 6.2, method 3), finer than any two calls. Runs of equal priority that were
    enqueued together start in the order in which they were given.
    """
    tail = bytearray(os.urandom(10))
    if unix_ms is None:
        unix_ms, rest = divmod(time.time_ns(), 1_000_000)
        tail[:2] = (rest * 4096 // 1_000_000).to_bytes(2, "big")
    tail[0] = 0x70 | (tail[0] & 0x0F)  # version 7
    tail[2] = 0x80 | (tail[2] & 0x3F)  # variant of RFC 9562
    return text_of((unix_ms & 0xFFFFFFFFFFFF).to_bytes(6, "big") + tail)


def first_id_at(unix_ms: int) -> str:
    """Return the smallest id of that millisecond: a bound for ranges over ids."""
    return text_of((max(unix_ms, 0) & 0xFFFFFFFFFFFF).to_bytes(6, "big") + b"\x70\x00\x80" + bytes(7))


def time_of(run_id: str) -> datetime:
    """Return when an id was made, to the millisecond."""
    return EPOCH + timedelta(milliseconds=int(run_id.replace("-", "")[:12], 16))


def text_of(raw: bytes) -> str:
    """Return 16 bytes as canonical text."""
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def bytes_of(text: str) -> bytes:
    """Return canonical text as 16 bytes."""
    return bytes.fromhex(text.replace("-", ""))


def checked(value: object) -> str:
    """Return ``value`` as canonical text (a ``uuid.UUID`` is welcome) or raise InvalidInput."""
    text = str(value).lower()
    if not PATTERN.fullmatch(text):
        raise InvalidInput("run id", value, "a UUID such as 01990000-0000-7000-8000-000000000000")
    return text

"""A server that vanishes without a word is found dead by TCP itself."""

from __future__ import annotations

import socket

from lodger.store.database import KEEPALIVE
from tests.support.store import Store


def test_connections_are_watched(store: Store) -> None:
    """Fails without `_watch_socket`: Linux would ask for the first time after two hours."""
    with store.database.connect() as conn:
        sock = conn.raw.dbapi_connection._sock
        told = {name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}")) for name in KEEPALIVE}
        assert told == KEEPALIVE
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

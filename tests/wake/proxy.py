"""A TCP proxy before PostgreSQL that behaves like a pooler in transaction mode, or like a network that went away."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTIFICATION, READY = b"A", b"Z"


class Proxy:
    """Forwards to the server of `url`; `self.url` leads through it.

    `pooling`: a notification that arrives while its client waits for nothing is dropped, as a pooler that lends
    the server connection to somebody else drops it. `frozen`: nothing gets through, and no end is signalled.
    """

    def __init__(self, url: str, *, port: int = 0, pooling: bool = False) -> None:
        parts = urlsplit(url)
        self.pooling = pooling
        self.frozen = False
        self.accepted = 0
        self._target = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", port))
        self._sockets: list[socket.socket] = [self._listening]
        self.port = self._listening.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}"))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(self._target)
                self.accepted += 1
                self._sockets += [client, server]
                asking = threading.Event()
                threading.Thread(target=self._forward, args=(client, server, asking), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, asking), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, asking: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if not self.frozen:
                    asking.set()
                    server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, asking: threading.Event) -> None:
        with suppress(OSError):
            for message in messages(server):
                if message[:1] == NOTIFICATION and self.pooling and not asking.is_set():
                    continue
                if message[:1] == READY:
                    asking.clear()
                if not self.frozen:
                    client.sendall(message)
            client.shutdown(socket.SHUT_RDWR)


def messages(server: socket.socket) -> Iterator[bytes]:
    """The server's messages, one by one: a byte for the kind, four for the length, the rest."""
    received = b""
    while data := server.recv(65536):
        received += data
        if received[:1] == b"N" and len(received) == 1:  # the answer to "do you speak TLS?"
            yield received
            received = b""
        while len(received) >= 5 and len(received) >= (size := 1 + int.from_bytes(received[1:5], "big")):
            yield received[:size]
            received = received[size:]

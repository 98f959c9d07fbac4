"""Start a fresh Python interpreter that talks to us over a socket pair.

Fresh, never forked: by the time a worker starts, the app has threads and pools that do not survive a fork.
The child is given nothing else of ours: standard input is closed and every other handle is not inherited.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
INSIDE_WORKER: Final = "LODGER_INSIDE_WORKER"
"""Set in every process of a worker: an app that is imported there must not start a worker of its own."""

# Between the fork and the exec of a Popen, a job that forks in another thread would copy its pipes, and the Popen
# would wait for the end of the job's child.
_no_fork: Final = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_no_fork.release)


class Channel:
    """Messages (JSON objects) over one connection; ``recv`` raises EOFError when the other side is gone."""

    def __init__(self, connection: Connection) -> None:
        """Wrap an open connection."""
        self.connection = connection
        self._stat = os.fstat(connection.fileno())

    @property
    def is_ours(self) -> bool:
        """Whether our handle is still what it was: a job may have closed it, and opened a file of the same number."""
        try:
            return os.path.samestat(os.fstat(self.connection.fileno()), self._stat)
        except OSError:
            return False

    def send(self, message: Mapping[str, Any]) -> bool:
        """Send; False when nobody is there any more."""
        if not self.is_ours:
            return False
        try:
            self.connection.send_bytes(json.dumps(message).encode())
        except (OSError, ValueError):
            return False
        return True

    def recv(self) -> dict[str, Any]:
        """Return the next message, waiting for it."""
        try:
            return json.loads(self.connection.recv_bytes())  # type: ignore[no-any-return]
        except OSError:
            raise EOFError from None

    def close(self) -> None:
        """Close our side."""
        self.connection.close()


def spawn(
    module: str, first_message: Mapping[str, Any], *, new_session: bool, files: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], Channel]:
    """Run ``python -m module`` and send it ``first_message``.

    ``new_session`` makes it the leader of a session, by which its whole tree can be found and killed; else
    it leads a process group of its own inside ours. ``files``: descriptors that it inherits under their numbers.
    """
    with _no_fork:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen(  # noqa: S603 - our own module, in this interpreter
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno(), *files],
                stdin=subprocess.DEVNULL,
                env={**os.environ, INSIDE_WORKER: "1"},
                start_new_session=new_session,
                process_group=None if new_session else 0,
            )
            channel = Channel(Connection(ours.detach()))
    channel.send(first_message)
    return process, channel


def accept(argv: list[str]) -> tuple[Channel, dict[str, Any]]:
    """Return, in the child, the channel to the parent and the first message."""
    channel = Channel(Connection(int(argv[1])))
    return channel, channel.recv()


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to signal us when the thread that started us ends (Linux; elsewhere the channel's end tells)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)

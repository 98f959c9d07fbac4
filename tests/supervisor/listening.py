"""A web process with a listening socket that a child could inherit, and an embedded worker.

    python -m tests.supervisor.listening <port>       DATABASE_URL is set

Says "listening" and stays.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

from lodger import settings as settings_module
from lodger.placement.launch import make_supervisor


def main(port: int) -> None:
    web = socket.socket()
    web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    web.set_inheritable(True)  # as servers do that hand it on to the processes they start
    web.bind(("127.0.0.1", port))
    web.listen()
    settings = settings_module.read({"app": "tests.supervisor.app:lodger", "poll_seconds": 0.1})
    supervisor = make_supervisor("child", settings, os.environ["DATABASE_URL"])
    supervisor.start()
    print("listening", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))

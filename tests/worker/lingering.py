"""An app that starts a thread at its import which keeps its process alive."""

from __future__ import annotations

import threading

from lodger import Every, Lodger

lodger = Lodger(app="tests.worker.lingering:lodger")


@lodger.job()
def tick() -> None:
    pass


lodger.schedule(tick.call(), Every(minutes=1), id="lingering")
threading.Thread(target=threading.Event().wait).start()

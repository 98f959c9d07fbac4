"""An enqueuer to be killed: `python -m tests.faults.producer COUNT` enqueues one by one, tells the side log of each.

Each run comes with a second one in the same transaction, so that there is something to be torn apart.
"""

from __future__ import annotations

import sys

from tests.faults import sidelog
from tests.faults.app import lodger, on_loop


def main(count: int) -> None:
    """Enqueue `count` pairs."""
    for _ in range(count):
        for handle in lodger.enqueue_many([on_loop.call(1), on_loop.call(1)]):
            sidelog.write("acked", handle.id)


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Zombies: whose a first process has to ask after, and whose it must leave to those who started them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

FIRST = """
    import ctypes, os, subprocess
    from lodger.processes.reaper import Reaper
    from lodger.processes.table import processes
    from tests.support.wait import wait_until

    def zombies():
        return [one.pid for one in processes().values() if one.is_zombie and one.parent == os.getpid()]

    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans become our children, as process 1's
    own = subprocess.Popen(["sh", "-c", "sleep 60 & exit 3"], stdout=subprocess.DEVNULL)
    assert own.wait() == 3
    orphan = next(one.pid for one in processes().values() if one.parent == os.getpid())
    reaper = Reaper(seconds=0.05)
    reaper.start()
    os.kill(orphan, 9)
    wait_until(lambda: orphan not in processes(), 20, "the orphan to be asked")
    assert zombies() == []
    reaper.stop()
"""


def test_orphans_do_not_stay_in_the_table() -> None:
    """Red without the reaper's wait."""
    subprocess.run([sys.executable, "-c", textwrap.dedent(FIRST)], check=True, timeout=60)

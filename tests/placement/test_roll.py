"""The roll: locks between processes, and what is left of the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lodger.wake.directory import DirectoryRefused
from lodger.worker.roll import Peer, Roll

PEER = """
    import os, sys
    from pathlib import Path
    from lodger.worker.roll import Roll
    roll = Roll(Path(sys.argv[1]), "key")
    roll.enter(sys.argv[2])
    carries = roll.carry() if sys.argv[2] == "web" else False
    if "fork" in sys.argv and os.fork() == 0:
        os.execvp("sleep", ["sleep", "60"])  # a child that outlives us, with all that is inheritable
    print(carries, flush=True)
    for order in sys.stdin:
        {"stopping": roll.say_stopping, "put down": roll.put_down, "leave": roll.leave}[order.strip()]()
        print("done", flush=True)
"""


class Other:
    """Another process of the roll."""

    def __init__(self, directory: Path, role: str = "web", *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PEER), str(directory), role, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.carries = self._answer() == "True"

    def does(self, order: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        assert self._answer() == "done"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(os.path.realpath(tmp_path_factory.mktemp("r"))) / "run"


@contextmanager
def other(directory: Path, role: str = "web", *options: str) -> Iterator[Other]:
    made = Other(directory, role, *options)
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()
        for pipe in (made.process.stdin, made.process.stdout):
            assert pipe
            with suppress(BrokenPipeError):
                pipe.close()


@pytest.fixture
def roll(directory: Path) -> Iterator[Roll]:
    made = Roll(directory, "key")
    made.enter()
    yield made
    made.leave()


def test_one_carries_until_it_puts_it_down(roll: Roll, directory: Path) -> None:
    with other(directory) as peer:
        assert peer.carries
        assert not roll.carry()
        peer.does("put down")
        assert roll.carry()
        assert roll.carry(), "asked again it still does"


def test_a_killed_carrier_is_succeeded_though_its_child_lives_on(roll: Roll, directory: Path) -> None:
    """Red with flock instead of a record lock when the child is forked and not executed anew."""
    with other(directory, "web", "fork") as peer:
        assert peer.carries
        peer.kill()
        assert roll.carry()
        assert roll.others() == []


def test_peers_are_seen_with_what_they_say(roll: Roll, directory: Path) -> None:
    with other(directory) as peer, other(directory, "left") as engine:
        assert roll.others() == [Peer(peer.process.pid, stopping=False)]
        assert roll.others("left") == [Peer(engine.process.pid, stopping=False)]
        peer.does("stopping")
        assert roll.others() == [Peer(peer.process.pid, stopping=True)]
        peer.does("leave")
        assert roll.others() == []


def test_files_of_the_dead_are_removed(roll: Roll, directory: Path) -> None:
    with other(directory) as peer:
        peer.kill()
        assert roll.others() == []
        assert [path.name for path in directory.iterdir() if str(peer.process.pid) in path.name] == []


def test_others_with_another_key_share_nothing(directory: Path, roll: Roll) -> None:
    """Another release, another host with the same directory: they have their own carrier."""
    with other(directory) as peer:
        elsewhere = Roll(directory, "another")
        elsewhere.enter()
        assert peer.carries
        assert elsewhere.carry()
        assert elsewhere.others() == []
        elsewhere.leave()


def test_looking_at_others_does_not_lose_ones_own_lock(roll: Roll, directory: Path) -> None:
    """Red when a look opens one's own file: closing it would free the lock."""
    assert roll.carry()
    roll.others()
    with other(directory) as peer:
        assert not peer.carries
        assert [one.pid for one in Roll(directory, "key").others()] == [peer.process.pid]


def test_files_are_for_their_owner_only(roll: Roll, directory: Path) -> None:
    assert roll.carry()
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_enter_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    with pytest.raises(DirectoryRefused, match="open to others"):
        Roll(directory, "key").enter()


def test_a_cleaned_up_directory_makes_no_second_carrier(directory: Path) -> None:
    """Cleaners take old files, locked or not. Fails when the carrier looks only at what it has open."""
    roll = Roll(directory, "key")
    roll.enter()
    assert roll.carry()
    (directory / "key-carrier").unlink()
    with other(directory) as peer:
        assert peer.carries
        assert not roll.carry()
        peer.does("put down")
        assert roll.carry()
    roll.leave()


def test_who_was_cleaned_up_is_seen_again(directory: Path) -> None:
    """Fails without `refresh`: it would stop and nobody would know that it was there."""
    with other(directory, "web") as peer:
        roll = Roll(directory, "key")
        roll.enter()
        (directory / f"key-web-{os.getpid()}").unlink()
        roll.carry()
        assert (directory / f"key-web-{os.getpid()}").exists()
        assert roll.others() == [Peer(peer.process.pid, stopping=False)]
        roll.leave()


def test_one_process_carries_once(directory: Path) -> None:
    """The kernel would give it the lock twice, and free it with the first. Fails without `_held`."""
    one, two = Roll(directory, "key"), Roll(directory, "key")
    one.enter()
    two.enter()
    assert one.carry()
    assert not two.carry()
    two.leave()
    with other(directory) as peer:
        assert not peer.carries
    one.leave()
    assert two.carry()
    two.leave()

"""The flight recorder: what the supervisor reads is what the engine wrote, wherever it was killed."""

from __future__ import annotations

import os
import signal

from lodger.model.ids import new_id
from lodger.worker.flight import NO_SEAT, Flight, Manifest, Recorder


def test_the_dead_process_tells_what_it_was_running() -> None:
    """Fails if `run` marks before `board` has written the id, or if the memory is not shared."""
    held, running, begun, gone = (new_id() for _ in range(4))
    recorder = Recorder(seats=8)
    child = os.fork()
    if child == 0:
        flight = Flight(8, recorder.file)
        seats = {run: flight.board(run) for run in (held, running, begun, gone)}
        flight.run(seats[running])
        flight.run(seats[begun])
        flight.begin(seats[begun])
        flight.leave(seats[gone])
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert recorder.read() == Manifest(running=frozenset({running}), begun=frozenset({begun}))
    recorder.close()


def test_a_seat_is_given_again_and_nothing_is_left_of_its_last_run() -> None:
    """Each seat is used in turn; a run without a seat is simply not recorded."""
    flight = Flight(1)
    first = flight.board(new_id())
    flight.run(first)
    assert flight.board(new_id()) == NO_SEAT
    flight.run(NO_SEAT)
    flight.leave(NO_SEAT)
    flight.leave(first)
    assert flight.free_seats == 1
    assert flight.board(new_id()) == first

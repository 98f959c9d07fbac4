"""Cuts the small preview of a profile video in parts, so that the work can stop and go on later.

    source  |----0----|----1----|----2----|--3--|      parts of PART_SECONDS each
                 |         |         |       |         each encoded into a file of its own
              000.mp4   001.mp4   002.mp4  003.mp4     -> joined without encoding again

A part depends on nothing but the source and its number: after an interruption the finished parts
are still right, and only the missing ones are made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from examples.dating.media import MediaInfo, UnreadableMedia, Upright, first_video, fitted, opened

MAX_SECONDS = 12
PART_SECONDS = 2
LONGEST_SIDE = 320
FRAMES_PER_SECOND = 15

# No B-frames: a part then begins at time 0 exactly, and parts join by counting frames.
_ENCODER = {"preset": "medium", "crf": "28", "bf": "0"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a preview will be cut; the same for every attempt, as it follows from the source alone."""

    width: int
    height: int
    rotation_degrees: int
    frames: int

    @property
    def frames_per_part(self) -> int:
        return PART_SECONDS * FRAMES_PER_SECOND

    @property
    def parts(self) -> int:
        return -(-self.frames // self.frames_per_part)

    @property
    def seconds(self) -> float:
        return self.frames / FRAMES_PER_SECOND

    def part_frames(self, part: int) -> range:
        first = part * self.frames_per_part
        return range(first, min(first + self.frames_per_part, self.frames))


def plan(info: MediaInfo) -> Plan:
    width, height = fitted(info.shown_width, info.shown_height, LONGEST_SIDE)
    seconds = min(info.duration_seconds, MAX_SECONDS)
    return Plan(
        width=width,
        height=height,
        rotation_degrees=info.rotation_degrees,
        frames=max(1, round(seconds * FRAMES_PER_SECOND)),
    )


def part_file(folder: Path, part: int) -> Path:
    return folder / f"{part:03}.mp4"


def write_part(source: Path, folder: Path, plan: Plan, part: int) -> Path:
    """Encode one part; its file appears under its name only when it is complete."""
    target = part_file(folder, part)
    unfinished = target.with_suffix(".unfinished.mp4")
    numbers = plan.part_frames(part)
    with opened(source) as container, av.open(str(unfinished), "w") as output:
        video = first_video(container)
        upright = Upright(video, plan.rotation_degrees, plan.width, plan.height, "yuv420p")
        encoder = output.add_stream("libx264", rate=FRAMES_PER_SECOND, options=_ENCODER)
        encoder.width, encoder.height, encoder.pix_fmt = plan.width, plan.height, "yuv420p"
        times = [number / FRAMES_PER_SECOND for number in numbers]
        for count, frame in enumerate(_frames_at(container, video, times)):
            small = upright(frame)
            small.pts, small.time_base = count, Fraction(1, FRAMES_PER_SECOND)
            output.mux(encoder.encode(small))
        output.mux(encoder.encode(None))
    unfinished.replace(target)
    return target


def join_parts(folder: Path, plan: Plan, target: Path) -> None:
    """Put the parts one after the other, by copying; ready to play while it still loads."""
    unfinished = target.with_suffix(".unfinished.mp4")
    with av.open(str(unfinished), "w", options={"movflags": "+faststart"}) as output:
        joined: VideoStream | None = None
        for part in range(plan.parts):
            with av.open(str(part_file(folder, part)), "r") as container:
                stream = container.streams.video[0]
                joined = joined or output.add_stream_from_template(stream)
                _copy(container, stream, output, joined, plan.part_frames(part).start)
    unfinished.replace(target)


def _copy(
    container: InputContainer,
    stream: VideoStream,
    output: OutputContainer,
    joined: VideoStream,
    first_frame: int,
) -> None:
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            continue  # the empty packet that ends a file
        shift = int(Fraction(first_frame, FRAMES_PER_SECOND) / packet.time_base)
        packet.pts += shift
        packet.dts += shift
        packet.stream = joined
        output.mux(packet)


def _frames_at(container: InputContainer, video: VideoStream, times: list[float]) -> Iterator[VideoFrame]:
    """For each time (seconds from the start, rising) the frame a viewer sees then.

    A frame is shown until the next one comes; a source with fewer frames repeats some.
    """
    time_base = video.time_base or Fraction(1, 1)
    start = video.start_time or 0
    container.seek(start + int(times[0] / time_base), stream=video)
    coming = ((frame.pts, frame) for frame in container.decode(video) if frame.pts is not None)
    shown: VideoFrame | None = None
    following = next(coming, None)
    for time in times:
        due = start + time / time_base
        while following is not None and (shown is None or following[0] <= due):
            shown, following = following[1], next(coming, None)
        if shown is None:
            raise UnreadableMedia(f"The file has no picture at {time:.1f} s: it is damaged.")
        yield shown

"""Makes real video files to try the site with: no camera, no download, everything known about them.

The upright picture of every sample has a white mark in its top left corner, so that a poster or
preview which forgot to turn a phone's video is caught by looking at one corner.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

SAMPLE_RATE = 48_000
MARK_SHARE = 10
"""The mark is a tenth of the picture wide and high."""

Outcome = Literal["ready", "unreadable", "no video"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What goes into a file, and so what must be found in it again."""

    name: str
    seconds: int = 3
    width: int = 0
    """As stored; 0: no picture."""
    height: int = 0
    frames_per_second: int = 25
    rotation_degrees: int = 0
    """Clockwise turn a player has to make, as phones write it."""
    channels: int = 2
    """0: no sound."""
    colours: tuple[str, str] = ("0xf83600", "0xf9d423")
    outcome: Outcome = "ready"
    kept_share: float = 1.0
    """Below 1 the file is cut off there, as by an upload that broke."""
    rubbish_bytes: int = 0
    """Not a video at all, just this many random bytes."""

    @property
    def shown_size(self) -> tuple[int, int]:
        turned = self.rotation_degrees in (90, 270)
        return (self.height, self.width) if turned else (self.width, self.height)


SAMPLES = (
    Sample(name="beach-720p.mp4", width=1280, height=720, seconds=4),
    Sample(
        name="phone-upright.mp4",
        width=640,
        height=360,
        frames_per_second=30,
        rotation_degrees=90,
        colours=("0x8e2de2", "0xff6a88"),
    ),
    Sample(
        name="long-480p.mp4",
        width=854,
        height=480,
        seconds=20,
        frames_per_second=24,
        colours=("0x0f2027", "0x2c9faf"),
    ),
    Sample(
        name="tiny-mono.mp4",
        width=160,
        height=120,
        seconds=2,
        frames_per_second=15,
        channels=1,
        colours=("0x11998e", "0x38ef7d"),
    ),
    Sample(name="broken-off.mp4", width=640, height=360, outcome="unreadable", kept_share=0.5),
    Sample(name="rubbish.mp4", outcome="unreadable", rubbish_bytes=50_000),
    Sample(name="only-sound.mp4", outcome="no video"),
)


def make_samples(folder: Path, samples: tuple[Sample, ...] = SAMPLES) -> dict[Sample, Path]:
    """Write the files into the folder (made if missing); takes a second or two."""
    folder.mkdir(parents=True, exist_ok=True)
    return {sample: make_sample(sample, folder) for sample in samples}


def make_sample(sample: Sample, folder: Path) -> Path:
    path = folder / sample.name
    if sample.rubbish_bytes:
        path.write_bytes(random.Random(sample.name).randbytes(sample.rubbish_bytes))
        return path
    # The index goes first, as on the web: a file cut off later then still promises its full length.
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as output:
        _write_streams(output, sample)
    if sample.kept_share < 1:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * sample.kept_share)])
    return path


def _write_streams(output: OutputContainer, sample: Sample) -> None:
    # All streams have to exist before the first packet is written: that fixes the header.
    video = _video_stream(output, sample) if sample.width else None
    audio = _audio_stream(output, sample) if sample.channels else None
    if video is not None:
        for picture in _pictures(sample):
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    if audio is not None:
        for sound in _sounds(sample):
            output.mux(audio.encode(sound))
        output.mux(audio.encode(None))


def _video_stream(output: OutputContainer, sample: Sample) -> VideoStream:
    stream = output.add_stream("libx264", rate=sample.frames_per_second, options={"preset": "ultrafast", "crf": "24"})
    stream.width, stream.height, stream.pix_fmt = sample.width, sample.height, "yuv420p"
    if sample.rotation_degrees:
        stream.set_display_rotation(-sample.rotation_degrees)  # FFmpeg counts counter-clockwise
    return stream


def _audio_stream(output: OutputContainer, sample: Sample) -> AudioStream:
    return output.add_stream("aac", rate=SAMPLE_RATE, layout=_layout(sample))


def _pictures(sample: Sample) -> Iterator[VideoFrame]:
    """A slowly turning gradient with the mark, drawn upright, then stored turned as a phone does."""
    width, height = sample.shown_size
    first, second = sample.colours
    graph = Graph()
    # A gradient is smooth: drawn small and enlarged it looks the same and takes a fraction of the time.
    colours = f"c0={first}:c1={second}:nb_colors=2:seed=7:speed=0.02"
    chain = [
        graph.add("gradients", f"size={width // 4}x{height // 4}:rate={sample.frames_per_second}:{colours}"),
        graph.add("scale", f"{width}:{height}"),
        graph.add("drawbox", f"x=0:y=0:w=iw/{MARK_SHARE}:h=ih/{MARK_SHARE}:color=white:t=fill"),
    ]
    chain += [graph.add(name, argument or None) for name, argument in _turned_back(sample.rotation_degrees)]
    chain += [graph.add("format", "yuv420p"), graph.add("buffersink")]
    graph.link_nodes(*chain)
    graph.configure(auto_buffer=False)
    for number in range(sample.seconds * sample.frames_per_second):
        frame = graph.vpull()
        frame.pts, frame.time_base = number, Fraction(1, sample.frames_per_second)
        yield frame


def _turned_back(rotation_degrees: int) -> tuple[tuple[str, str], ...]:
    return {
        0: (),
        90: (("transpose", "cclock"),),
        180: (("hflip", ""), ("vflip", "")),
        270: (("transpose", "clock"),),
    }[rotation_degrees]


def _sounds(sample: Sample) -> Iterator[AudioFrame]:
    graph = Graph()
    graph.link_nodes(
        graph.add("sine", f"frequency=330:sample_rate={SAMPLE_RATE}:samples_per_frame=1024"),
        graph.add("aformat", f"sample_fmts=fltp:channel_layouts={_layout(sample)}"),
        graph.add("abuffersink"),
    )
    graph.configure(auto_buffer=False)
    for _ in range(sample.seconds * SAMPLE_RATE // 1024):
        frame = graph.pull()
        assert isinstance(frame, AudioFrame)
        yield frame


def _layout(sample: Sample) -> str:
    return "mono" if sample.channels == 1 else "stereo"

"""Reads an uploaded video: what it is, and a poster image. Knows files, not databases or jobs.

Uploads come from strangers. FFmpeg also understands playlists, which are text files that name
*other* files and addresses to read; a "video" of that kind could show its sender any file of this
machine. So the formats are listed one by one, and nothing but plain files is ever opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
POSTER_LONGEST_SIDE = 640

# A header may promise a little more than the last packet delivers; half a second is no damage.
_TOLERATED_GAP_SECONDS = 0.5
_TURNS: dict[int, tuple[tuple[str, str], ...]] = {
    0: (),
    90: (("transpose", "clock"),),
    180: (("hflip", ""), ("vflip", "")),
    270: (("transpose", "cclock"),),
}


class MediaError(Exception):
    """The file cannot become a profile video. The text is written for the person who uploaded it."""


class UnreadableMedia(MediaError):
    """Damaged, incomplete, or no video file at all."""


class NoVideoStream(MediaError):
    """A sound file: whole, readable, and without a picture."""


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a video file says of itself, and what reading it through confirmed."""

    container: str
    duration_seconds: float
    bit_rate: int
    """Bits per second, all streams together."""
    video_codec: str
    width: int
    """As stored, in pixels, before rotation."""
    height: int
    rotation_degrees: int
    """Clockwise turn that makes the stored picture upright: 0, 90, 180 or 270."""
    shown_width: int
    """As a player shows it: turned upright, with square pixels."""
    shown_height: int
    frames_per_second: float
    audio_codec: str | None
    audio_channels: int
    """0 when there is no sound."""
    audio_sample_rate: int


def probe(path: Path) -> MediaInfo:
    """Read the file from end to end (without decoding it all) and describe it.

    Raises:
        NoVideoStream: there is only sound.
        UnreadableMedia: not a video, damaged, or cut off.
        OSError: the file is not there or may not be read.
    """
    with opened(path) as container:
        video = first_video(container)
        rotation = rotation_of(first_frame(container, video))
        seconds = _confirmed_seconds(container, video)
        shown_width, shown_height = _shown_size(video, rotation)
        audio = container.streams.audio[0] if container.streams.audio else None
        return MediaInfo(
            container=_container_name(container),
            duration_seconds=round(seconds, 3),
            bit_rate=container.bit_rate or round(path.stat().st_size * 8 / max(seconds, 0.001)),
            video_codec=video.codec_context.name,
            width=video.width,
            height=video.height,
            rotation_degrees=rotation,
            shown_width=shown_width,
            shown_height=shown_height,
            frames_per_second=round(float(video.average_rate or video.guessed_rate or 0), 3),
            audio_codec=audio.codec_context.name if audio else None,
            audio_channels=audio.channels if audio else 0,
            audio_sample_rate=audio.rate if audio else 0,
        )


def write_poster(source: Path, target: Path, info: MediaInfo) -> None:
    """Cut an upright JPEG from the first second, its longest side at most POSTER_LONGEST_SIDE.

    The file appears under its name only when it is complete.
    """
    with opened(source) as container:
        video = first_video(container)
        # The very first frame of a clip is often black; a little later says more.
        moment = min(1.0, info.duration_seconds / 10)
        container.seek(int(moment / (video.time_base or 1)), stream=video)
        frame = first_frame(container, video)
        width, height = fitted(info.shown_width, info.shown_height, POSTER_LONGEST_SIDE)
        upright = Upright(video, info.rotation_degrees, width, height, "yuvj420p")(frame)
    unfinished = target.with_suffix(".unfinished.jpg")
    upright.save(unfinished, qscale=3)
    unfinished.replace(target)


class Upright:
    """Turns and scales decoded frames of one stream."""

    def __init__(self, video: VideoStream, rotation: int, width: int, height: int, pixels: str) -> None:
        self._graph = Graph()
        chain = [self._graph.add_buffer(template=video)]
        chain += [self._graph.add(name, argument or None) for name, argument in _TURNS[rotation]]
        chain += [
            self._graph.add("scale", f"{width}:{height}"),
            self._graph.add("setsar", "1"),
            self._graph.add("format", pixels),
            self._graph.add("buffersink"),
        ]
        self._graph.link_nodes(*chain)
        self._graph.configure()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        self._graph.vpush(frame)
        return self._graph.vpull()


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open an upload; what FFmpeg cannot make out comes out as UnreadableMedia.

    Trouble of this machine (no such file, disk full) stays an OSError: it says nothing about the upload.
    """
    try:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        with av.open(str(path), "r", container_options=options) as container:
            yield container
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise UnreadableMedia(f"The file cannot be read as a video: {error.strerror or error}.") from error


def first_video(container: InputContainer) -> VideoStream:
    """The first moving picture; the cover image of a sound file does not count."""
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            return stream
    raise NoVideoStream("The file has sound but no picture: please upload a video.")


def first_frame(container: InputContainer, video: VideoStream) -> VideoFrame:
    for frame in container.decode(video):
        return frame
    raise UnreadableMedia("The file has no picture that can be decoded: it is damaged or empty.")


def rotation_of(frame: VideoFrame) -> int:
    """Clockwise degrees, to the nearest quarter turn (FFmpeg counts the other way round)."""
    return round(-frame.rotation / 90) * 90 % 360


def fitted(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """Shrink to the longest side, never enlarge; even numbers, as video encoders demand."""
    ratio = min(1.0, longest_side / max(width, height))
    return max(2, round(width * ratio / 2) * 2), max(2, round(height * ratio / 2) * 2)


def _confirmed_seconds(container: InputContainer, video: VideoStream) -> float:
    """The length, checked against the packets that are really there.

    A header is written for the whole clip, so an upload cut off in the middle still promises its
    full length; recordings made by a browser promise nothing at all. The packets know.
    """
    container.seek(0)
    time_base = float(video.time_base or 0)
    start, end = video.start_time or 0, 0
    for packet in container.demux(video):
        if packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0))
    found = (end - start) * time_base
    promised = float((video.duration or 0) * time_base)
    if found < promised - _TOLERATED_GAP_SECONDS:
        raise UnreadableMedia(
            f"The file is incomplete: it promises {promised:.1f} s of video and ends after {found:.1f} s."
        )
    return container.duration / av.time_base if container.duration else found


def _shown_size(video: VideoStream, rotation: int) -> tuple[int, int]:
    width = round(video.width * float(video.sample_aspect_ratio or 1))
    return (video.height, width) if rotation in (90, 270) else (width, video.height)


def _container_name(container: InputContainer) -> str:
    """One word out of FFmpeg's list of relatives ("mov,mp4,m4a,3gp,3g2,mj2")."""
    if container.metadata.get("major_brand", "").startswith("qt"):
        return "mov"
    names = container.format.name.split(",")
    return "mp4" if "mp4" in names else names[0]

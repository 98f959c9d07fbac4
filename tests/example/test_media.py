"""The dating example's media functions, on real files made for the purpose."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.filter import Graph
from av.video.frame import VideoFrame

from examples.dating import media, preview
from examples.dating.check import marked_top_left
from examples.dating.media import NoVideoStream, UnreadableMedia
from examples.dating.samples import SAMPLES, Sample, make_sample, make_samples

GOOD = [sample for sample in SAMPLES if sample.outcome == "ready"]
PORTRAIT = next(sample for sample in GOOD if sample.rotation_degrees)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = make_samples(tmp_path_factory.mktemp("samples"))
    return {sample.name: path for sample, path in made.items()}


def picture(path: Path) -> VideoFrame:
    with av.open(str(path), "r") as container:
        return next(container.decode(video=0))


def write_clip(path: Path, frames: list[VideoFrame], rate: int, *, aspect: Fraction | None = None) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def brightening(seconds: int, rate: int) -> list[VideoFrame]:
    """Frames that fade from black to white, so that a frame's brightness tells its time."""
    graph = Graph()
    count = seconds * rate
    graph.link_nodes(
        graph.add("color", f"white:size=64x48:rate={rate}"),
        graph.add("format", "yuv420p"),
        graph.add("fade", f"in:0:{count}"),
        graph.add("buffersink"),
    )
    graph.configure(auto_buffer=False)
    return [graph.vpull() for _ in range(count)]


# Metadata


@pytest.mark.parametrize("sample", GOOD, ids=lambda sample: sample.name)
def test_finds_what_the_sample_was_made_of(sample: Sample, files: dict[str, Path]) -> None:
    info = media.probe(files[sample.name])
    assert (info.width, info.height) == (sample.width, sample.height)
    assert info.rotation_degrees == sample.rotation_degrees
    assert (info.shown_width, info.shown_height) == sample.shown_size
    assert info.frames_per_second == sample.frames_per_second
    assert info.duration_seconds == pytest.approx(sample.seconds, abs=0.05)
    assert (info.container, info.video_codec, info.audio_codec) == ("mp4", "h264", "aac")
    assert (info.audio_channels, info.audio_sample_rate) == (sample.channels, 48_000)
    assert info.bit_rate == pytest.approx(files[sample.name].stat().st_size * 8 / sample.seconds, rel=0.05)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_video_gives_an_upright_poster_and_preview(degrees: int, tmp_path: Path) -> None:
    sample = Sample(name="turned.mp4", width=320, height=180, seconds=1, rotation_degrees=degrees)
    source = make_sample(sample, tmp_path)
    info = media.probe(source)
    assert info.rotation_degrees == degrees

    media.write_poster(source, tmp_path / "poster.jpg", info)
    poster = picture(tmp_path / "poster.jpg")
    assert (poster.width, poster.height) == sample.shown_size
    assert marked_top_left(poster)
    assert degrees == 0 or not marked_top_left(picture(source))  # the stored picture is the turned one

    plan = preview.plan(info)
    preview.write_part(source, tmp_path, plan, 0)
    assert marked_top_left(picture(preview.part_file(tmp_path, 0)))


def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are_meant(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "wide.mp4", brightening(1, 10), 10, aspect=Fraction(2, 1))
    info = media.probe(source)
    assert (info.width, info.height) == (64, 48)
    assert (info.shown_width, info.shown_height) == (128, 48)
    media.write_poster(source, tmp_path / "poster.jpg", info)
    assert picture(tmp_path / "poster.jpg").width == 128


def test_a_browser_recording_that_does_not_know_its_length(tmp_path: Path) -> None:
    """What MediaRecorder sends: WebM without a duration in its header, here without sound too."""
    source = tmp_path / "recorded.webm"
    with av.open(str(source), "w", options={"live": "1"}) as output:
        stream = output.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, frame in enumerate(brightening(2, 10)):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(str(source), "r") as container:
        assert not container.duration

    info = media.probe(source)
    assert info.duration_seconds == pytest.approx(2, abs=0.11)
    assert (info.container, info.video_codec) == ("matroska", "vp8")
    assert (info.audio_codec, info.audio_channels) == (None, 0)
    assert info.bit_rate > 0


# Files that are no use


def test_a_file_cut_off_says_where_it_ends(files: dict[str, Path]) -> None:
    with pytest.raises(UnreadableMedia, match=r"incomplete: it promises 3\.0 s of video and ends after [12]\.\d s"):
        media.probe(files["broken-off.mp4"])


@pytest.mark.parametrize("content", [b"", b"hello", bytes(10_000)], ids=["empty", "text", "zeros"])
def test_what_is_no_video_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "claims.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableMedia, match="cannot be read as a video"):
        media.probe(path)


def test_rubbish_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(UnreadableMedia, match="cannot be read as a video"):
        media.probe(files["rubbish.mp4"])


def test_a_file_with_damaged_pictures_is_refused(tmp_path: Path) -> None:
    """The index at the front is whole, the pictures behind it are noise."""
    source = make_sample(Sample(name="noise.mp4", width=320, height=180, seconds=1, channels=0), tmp_path)
    content = bytearray(source.read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = bytes(len(content) - start)
    source.write_bytes(content)
    with pytest.raises(UnreadableMedia):
        media.probe(source)


def test_sound_alone_is_no_video(files: dict[str, Path]) -> None:
    with pytest.raises(NoVideoStream, match="sound but no picture"):
        media.probe(files["only-sound.mp4"])


def test_a_playlist_cannot_make_the_site_read_another_file(files: dict[str, Path], tmp_path: Path) -> None:
    """FFmpeg would follow it, as the control shows; an upload of it must not show a file of this machine."""
    (tmp_path / "secret.mp4").write_bytes(files[PORTRAIT.name].read_bytes())
    path = tmp_path / "clip.mp4"
    path.write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    with av.open(str(path), "r") as container:
        assert container.streams.video  # the control
    with pytest.raises(UnreadableMedia):
        media.probe(path)


def test_a_file_that_is_gone_is_not_the_uploaders_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        media.probe(tmp_path / "gone.mp4")


# Posters


@pytest.mark.parametrize("sample", GOOD, ids=lambda sample: sample.name)
def test_the_poster_is_a_small_jpeg(sample: Sample, files: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "7.jpg"
    media.write_poster(files[sample.name], target, media.probe(files[sample.name]))
    assert target.read_bytes().startswith(b"\xff\xd8\xff")
    poster = picture(target)
    assert max(poster.width, poster.height) == min(media.POSTER_LONGEST_SIDE, max(sample.width, sample.height))
    assert marked_top_left(poster)
    assert [path.name for path in tmp_path.iterdir()] == ["7.jpg"]  # nothing unfinished is left


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((1280, 720), 640, (640, 360)),
        ((720, 1280), 640, (360, 640)),
        ((160, 121), 640, (160, 120)),
        ((5000, 3), 320, (320, 2)),
    ],
)
def test_fitted_shrinks_to_even_sizes(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert media.fitted(*size, longest) == expected


# Previews


def make_preview(source: Path, folder: Path) -> tuple[preview.Plan, Path]:
    plan = preview.plan(media.probe(source))
    for part in range(plan.parts):
        preview.write_part(source, folder, plan, part)
    target = folder / "preview.mp4"
    preview.join_parts(folder, plan, target)
    return plan, target


def test_a_preview_is_short_small_and_silent(files: dict[str, Path], tmp_path: Path) -> None:
    plan, target = make_preview(files["long-480p.mp4"], tmp_path)
    assert (plan.parts, plan.frames) == (6, 180)
    info = media.probe(target)
    assert (info.width, info.height) == (320, 180)
    assert info.duration_seconds == pytest.approx(preview.MAX_SECONDS, abs=0.01)
    assert info.frames_per_second == preview.FRAMES_PER_SECOND
    assert info.audio_channels == 0


@pytest.mark.parametrize("rate", [10, 15, 24, 60])
def test_parts_join_without_a_gap_or_a_repeat(rate: int, tmp_path: Path) -> None:
    """Brightness stands for time: it must be right in every frame, so also on both sides of a seam."""
    source = write_clip(tmp_path / "fade.mp4", brightening(5, rate), rate)
    plan, target = make_preview(source, tmp_path)
    assert plan.parts == 3
    with av.open(str(target), "r") as container:
        frames = list(container.decode(video=0))
    assert [round(frame.time * preview.FRAMES_PER_SECOND) for frame in frames] == list(range(plan.frames))
    for number, frame in enumerate(frames):
        grey = frame.reformat(format="rgb24").planes[0]
        brightness = bytes(grey)[grey.line_size * 24 + 3 * 32] / 255
        # The frame on show is up to one source frame old; coding costs a little too.
        shown = int(number / preview.FRAMES_PER_SECOND * rate) / (5 * rate)
        assert brightness == pytest.approx(shown, abs=0.03), f"frame {number}"


def test_an_interrupted_preview_goes_on_to_the_same_result(files: dict[str, Path], tmp_path: Path) -> None:
    source = files["beach-720p.mp4"]
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    straight.mkdir()
    resumed.mkdir()
    plan, whole = make_preview(source, straight)
    preview.write_part(source, resumed, plan, 0)
    unfinished = preview.part_file(resumed, 1).with_suffix(".unfinished.mp4")
    unfinished.write_bytes(b"half a part, left by a killed process")
    preview.write_part(source, resumed, plan, 1)  # another attempt, which begins where the checkpoint points
    preview.join_parts(resumed, plan, resumed / "preview.mp4")
    assert (resumed / "preview.mp4").read_bytes() == whole.read_bytes()
    assert not unfinished.exists()


def test_a_very_short_clip_still_has_a_preview(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "blink.mp4", brightening(1, 25)[:1], 25)
    plan, target = make_preview(source, tmp_path)
    assert (plan.parts, plan.frames) == (1, 1)
    assert media.probe(target).width == 64

"""Walks through the site as a visitor would, over HTTP alone, and compares what it sees with what must be there."""

import io
import re
import secrets
import time
from pathlib import Path
from typing import Any

import av
import httpx
from av.video.frame import VideoFrame

from examples.dating import media, preview
from examples.dating.report import Report
from examples.dating.samples import MARK_SHARE, Sample

TIMEOUT_SECONDS = 180
POLL_SECONDS = 0.1
PASSWORD = "a long enough password"  # noqa: S105 - of an account that lives for a minute
REASONS = {"broken-off.mp4": "The file is incomplete", "rubbish.mp4": "The file cannot be read as a video"}
NO_PICTURE = "The file has sound but no picture"

Videos = dict[str, dict[str, Any]]


def walk(address: str, samples: dict[Sample, Path], report: Report) -> None:
    """The whole journey; every expectation becomes a line of the report."""
    with httpx.Client(base_url=address, follow_redirects=True, timeout=30, trust_env=False) as client:
        name = f"Anna {secrets.token_hex(3)}"  # the database may be one that has seen this journey before
        _check_doors(client, report)
        _check_joining(client, report, name)
        _check_bad_files(client, report)
        for sample, path in samples.items():
            _upload(client, report, sample.name, path.read_bytes())
        videos, states = _wait_until_settled(client, len(samples))
        for sample in samples:
            _check_video(client, report, sample, videos.get(sample.name), states.get(sample.name, []))
        _check_public_pages(client, report, name)
        _check_coming_back(client, report, name)


def _check_doors(client: httpx.Client, report: Report) -> None:
    page = client.get("/")
    policy = page.headers.get("content-security-policy", "")
    strict = "default-src 'none'" in policy and "unsafe" not in policy
    report.add("front page", "200, strict CSP", f"{page.status_code}, {'strict CSP' if strict else policy}")
    inline = re.findall(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", page.text)
    report.add("inline script or style", "none", ", ".join(inline) or "none")
    closed = client.post("/me/videos", files={"video": ("a.mp4", b"x")}, follow_redirects=False)
    report.add("upload without account", "303 to /sign-in", f"{closed.status_code} to {closed.headers.get('location')}")
    foreign = client.post("/sign-up", data={"name": "Eve"}, headers={"Origin": "https://other.example"})
    report.add("form of another site", "403", str(foreign.status_code))


def _check_joining(client: httpx.Client, report: Report, name: str) -> None:
    short = client.post("/sign-up", data={"name": name, "password": "short"})
    report.add("short password", "422, says why", f"{short.status_code}, {_said(short, '8 to 200 characters')}")
    joined = client.post("/sign-up", data={"name": name, "password": PASSWORD}, follow_redirects=False)
    report.add("sign up", "303 to /me", f"{joined.status_code} to {joined.headers.get('location')}")
    cookie = joined.headers.get("set-cookie", "").lower()
    report.add("cookie", "httponly, samesite=lax", ", ".join(re.findall(r"httponly|samesite=lax", cookie)))
    with httpx.Client(base_url=client.base_url, trust_env=False) as other:
        again = other.post("/sign-up", data={"name": name, "password": PASSWORD})
    report.add("the same name again", "422, says why", f"{again.status_code}, {_said(again, 'is taken')}")


def _check_bad_files(client: httpx.Client, report: Report) -> None:
    text = _post_file(client, "notes.txt", b"hello")
    report.add("a text file", "422, says why", f"{text.status_code}, {_said(text, 'Please choose a video file')}")
    empty = _post_file(client, "empty.mp4", b"")
    report.add("an empty file", "422, says why", f"{empty.status_code}, {_said(empty, 'The file is empty')}")
    kept = client.get("/me/videos.json").json()
    report.add("kept of them", "nothing", f"{len(kept)} videos" if kept else "nothing")


def _upload(client: httpx.Client, report: Report, name: str, content: bytes) -> None:
    page = _post_file(client, name, content)
    shown = "200, on my page" if name in page.text else "200, not on my page"
    report.add(f"{name}: upload", "200, on my page", shown if page.status_code == 200 else str(page.status_code))


def _wait_until_settled(client: httpx.Client, count: int) -> tuple[Videos, dict[str, list[str]]]:
    """Ask as the page's script does, until no job is open; also returns the states seen on the way."""
    states: dict[str, list[str]] = {}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        videos: Videos = {video["title"]: video for video in client.get("/me/videos.json").json()}
        for title, video in videos.items():
            state = "/".join(step["status"] for step in video["steps"])
            seen = states.setdefault(title, [])
            if not seen or seen[-1] != state:
                seen.append(state)
        if time.monotonic() > deadline or (len(videos) == count and all(video["settled"] for video in videos.values())):
            return videos, states
        time.sleep(POLL_SECONDS)


def _check_video(
    client: httpx.Client, report: Report, sample: Sample, video: dict[str, Any] | None, states: list[str]
) -> None:
    if video is None:
        report.add(sample.name, "listed", "not listed")
        return
    report.add(f"{sample.name}: states", "settled", " > ".join(states), ok=video["settled"])
    if sample.outcome != "ready":
        _check_failure(report, sample, video)
        return
    report.add(f"{sample.name}: metadata", _described(sample), _found(video["metadata"]))
    _check_poster(client, report, sample, video)
    _check_preview(client, report, sample, video)


def _check_failure(report: Report, sample: Sample, video: dict[str, Any]) -> None:
    reading, cutting = video["steps"]
    if sample.outcome == "unreadable":
        attempts, reason = "attempt 3 of 3", REASONS[sample.name]
    else:
        attempts, reason = "attempt 1 of 3", NO_PICTURE  # not worth a retry
    seen = f"{reading['status']}, attempt {reading['attempt']} of {reading['max_attempts']}: {reading['error']}"
    expected = f"FAILED, {attempts}: {reason}"
    readable = seen.startswith(expected) and "Traceback" not in seen and "/" not in reading["error"]
    report.add(f"{sample.name}: metadata", f"{expected}…", seen, ok=readable)
    report.add(f"{sample.name}: preview", "NOT NEEDED", cutting["status"])


def _check_poster(client: httpx.Client, report: Report, sample: Sample, video: dict[str, Any]) -> None:
    width, height = media.fitted(*sample.shown_size, media.POSTER_LONGEST_SIDE)
    report.add(
        f"{sample.name}: poster",
        f"{width}x{height} mjpeg, upright",
        _picture(client.get(video["poster"])) if video["poster"] else "none",
    )


def _check_preview(client: httpx.Client, report: Report, sample: Sample, video: dict[str, Any]) -> None:
    step = video["steps"][1]
    seconds = min(sample.seconds, preview.MAX_SECONDS)
    parts = -(-seconds // preview.PART_SECONDS)
    progress = f"{step['status']}, progress {step['done']:g} of {step['total']:g}"
    report.add(f"{sample.name}: preview job", f"SUCCEEDED, progress {parts} of {parts}", progress)
    width, height = media.fitted(*sample.shown_size, preview.LONGEST_SIDE)
    report.add(
        f"{sample.name}: preview",
        f"{width}x{height} h264, upright, {seconds}.0 s",
        _picture(client.get(video["preview"])) if video["preview"] else "none",
    )


def _check_public_pages(client: httpx.Client, report: Report, name: str) -> None:
    page = client.get("/").text
    card = re.search(rf'href="(/people/\d+)">\s*<img src="([^"]+)"(?:(?!</a>).)*{re.escape(name)}', page, re.DOTALL)
    report.add("list of profiles", "listed with a poster", "listed with a poster" if card else "not listed")
    person = client.get(card[1]).text if card else ""
    report.add("profile page", "plays the preview", "plays the preview" if "<video" in person else "no preview")
    report.add("a page that is not there", "404", str(client.get("/people/999999999").status_code))


def _check_coming_back(client: httpx.Client, report: Report, name: str) -> None:
    client.post("/sign-out")
    out = client.get("/me", follow_redirects=False)
    report.add("signed out", "303 to /sign-in", f"{out.status_code} to {out.headers.get('location')}")
    wrong = client.post("/sign-in", data={"name": name, "password": "not my password"})
    report.add("wrong password", "422, says why", f"{wrong.status_code}, {_said(wrong, 'password is wrong')}")
    back = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    where = "my videos" if "only-sound" in back.text else back.url
    report.add("sign in", "200, my videos", f"{back.status_code}, {where}")


def _post_file(client: httpx.Client, name: str, content: bytes) -> httpx.Response:
    return client.post("/me/videos", files={"video": (name, content)})


def _said(response: httpx.Response, text: str) -> str:
    return "says why" if text in response.text else "says nothing"


def _described(sample: Sample) -> str:
    return (
        f"{sample.width}x{sample.height} turned {sample.rotation_degrees}, {sample.seconds}.0 s, "
        f"{sample.frames_per_second}/s, h264 + aac {sample.channels} in mp4"
    )


def _found(info: dict[str, Any] | None) -> str:
    if info is None:
        return "nothing"
    return (
        f"{info['width']}x{info['height']} turned {info['rotation_degrees']}, {info['duration_seconds']:.1f} s, "
        f"{info['frames_per_second']:g}/s, {info['video_codec']} + {info['audio_codec']} {info['audio_channels']} "
        f"in {info['container']}"
    )


def _picture(response: httpx.Response) -> str:
    """Decode what the site served and say what it is."""
    if response.status_code != 200:
        return str(response.status_code)
    try:
        with av.open(io.BytesIO(response.content), "r") as container:
            stream = container.streams.video[0]
            frame = next(container.decode(stream))
            moving = stream.codec_context.name == "h264"
            length = f", {(container.duration or 0) / av.time_base:.1f} s" if moving else ""
            side = "upright" if marked_top_left(frame) else "not upright"
            return f"{frame.width}x{frame.height} {stream.codec_context.name}, {side}{length}"
    except av.FFmpegError as error:
        return f"cannot be decoded: {error}"


def marked_top_left(frame: VideoFrame) -> bool:
    """Whether the white mark of the samples is in the top left corner, and in no other."""
    plane = frame.reformat(format="rgb24").planes[0]
    data, line = bytes(plane), plane.line_size
    near_x, near_y = frame.width // (2 * MARK_SHARE), frame.height // (2 * MARK_SHARE)
    far_x, far_y = frame.width - 1 - near_x, frame.height - 1 - near_y
    spots = ((near_x, near_y), (far_x, near_y), (near_x, far_y), (far_x, far_y))
    darkest = [min(data[y * line + 3 * x :][:3]) for x, y in spots]
    return darkest[0] > 225 and max(darkest[1:]) < 200

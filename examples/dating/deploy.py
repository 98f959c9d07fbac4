"""The second half of the check: everything is restarted while previews are being cut, as a deploy does it."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from examples.dating import preview
from examples.dating.check import PASSWORD, POLL_SECONDS, TIMEOUT_SECONDS
from examples.dating.report import Report
from examples.dating.samples import Sample
from examples.dating.stand import Stand

UPLOADS = 3
"""Cut side by side, so that some are surely in the middle when the stop comes."""

Steps = list[dict[str, Any]]


def check(stand: Stand, samples: dict[Sample, Path], report: Report) -> None:
    sample = max(samples, key=lambda sample: sample.seconds)
    content = samples[sample].read_bytes()
    with httpx.Client(base_url=stand.address, follow_redirects=True, timeout=30, trust_env=False) as client:
        client.post("/sign-up", data={"name": f"Ben {secrets.token_hex(3)}", "password": PASSWORD})
        for number in range(UPLOADS):
            client.post("/me/videos", files={"video": (f"{number}-{sample.name}", content)})
        before = _wait(client, lambda steps: any(step["done"] >= 1 for step in steps))
        report.add("deploy: before", "previews begun", _told(before), ok=any(step["done"] for step in before))
        stand.stop()
        finished = _part_times(stand.data)
        made_again: set[Path] = set()
        stand.start()

        def over(steps: Steps) -> bool:
            now = _part_times(stand.data)
            made_again.update(part for part in finished.keys() & now.keys() if finished[part] != now[part])
            return all(step["status"] in ("SUCCEEDED", "FAILED") for step in steps)

        after = _wait(client, over)
    parts = -(-min(sample.seconds, preview.MAX_SECONDS) // preview.PART_SECONDS)
    expected = ", ".join([f"SUCCEEDED {parts} of {parts}"] * UPLOADS)
    report.add("deploy: after", expected, _told(after))
    interrupted = sum(step["interruptions"] for step in after)
    report.add("deploy: interrupted", "1 or more", str(interrupted), ok=interrupted > 0)
    attempts = ", ".join(str(step["attempt"]) for step in after)
    again = f"{len(finished)} finished, {len(made_again)} made again"
    report.add(
        "deploy: parts of previews", "1 or more finished, 0 made again", again, ok=bool(finished and not made_again)
    )
    report.add("deploy: attempts counted", ", ".join(["1"] * UPLOADS), attempts)


def _part_times(data: Path) -> dict[Path, int]:
    """When each finished part of a preview was written: a part made again has another time."""
    times = {}
    for part in (data / "previews").glob("*.parts/???.mp4"):
        with suppress(FileNotFoundError):  # its preview has just been joined
            times[part] = part.stat().st_mtime_ns
    return times


def _wait(client: httpx.Client, enough: Callable[[Steps], bool]) -> Steps:
    """Ask until it is enough, or until the time is up; returns the preview steps, oldest video first."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        videos = sorted(client.get("/me/videos.json").json(), key=lambda video: int(video["id"]))
        steps = [video["steps"][1] for video in videos]
        if enough(steps) or time.monotonic() > deadline:
            return steps
        time.sleep(POLL_SECONDS)


def _told(steps: Steps) -> str:
    return ", ".join(f"{step['status']} {step['done']:g} of {step['total']:g}" for step in steps)

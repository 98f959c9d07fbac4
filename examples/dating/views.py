"""What the pages and the JSON endpoint show: one reading, two looks."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from examples.dating.jobs import lodger
from examples.dating.tables import ProfileVideo, User
from lodger import RunNotFound

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "NOT NEEDED"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of a video, as its owner sees it."""

    name: str
    title: str
    status: str
    """A run's status, or WAITING (for the step before) or NOT NEEDED (as that one failed)."""
    attempt: int = 0
    max_attempts: int = 0
    interruptions: int = 0
    """How often a stop of the worker cut it short; those do not count as attempts."""
    done: float = 0
    total: float = 0
    message: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class VideoView:
    id: int
    title: str
    size_bytes: int
    steps: tuple[Step, ...]
    info: dict[str, Any] | None
    poster_url: str | None
    preview_url: str | None

    @property
    def settled(self) -> bool:
        return all(step.status in FINAL for step in self.steps)

    @property
    def error(self) -> str:
        return next((step.error for step in self.steps if step.status == "FAILED"), "")

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "settled": self.settled,
            "steps": [vars(step) for step in self.steps],
            "metadata": self.info,
            "poster": self.poster_url,
            "preview": self.preview_url,
        }


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A person as others see them: made from the site's own tables alone."""

    id: int
    name: str
    seconds: float
    """Length of the newest video that can be shown."""
    poster_url: str | None
    preview_url: str | None


def video_view(video: ProfileVideo) -> VideoView:
    reading = _step("media_metadata", "Reading the video", video.metadata_run_id, done=video.info is not None)
    cutting = _step("transcode_preview", "Cutting the preview", video.preview_run_id, done=video.preview_ready)
    if video.preview_run_id is None and reading.status in ("FAILED", "CANCELLED"):
        cutting = Step(name=cutting.name, title=cutting.title, status="NOT NEEDED")
    return VideoView(
        id=video.id,
        title=video.title,
        size_bytes=video.size_bytes,
        steps=(reading, cutting),
        info=video.info,
        poster_url=_poster_url(video),
        preview_url=_preview_url(video),
    )


def profiles(session: Session) -> list[Profile]:
    users = session.scalars(select(User).options(selectinload(User.videos)).order_by(User.id.desc()).limit(60))
    return [profile(user) for user in users]


def profile(user: User) -> Profile:
    shown = next((video for video in user.videos if video.info), None)
    return Profile(
        id=user.id,
        name=user.name,
        seconds=shown.info["duration_seconds"] if shown and shown.info else 0,
        poster_url=_poster_url(shown) if shown else None,
        preview_url=_preview_url(shown) if shown else None,
    )


def _poster_url(video: ProfileVideo) -> str | None:
    return f"/videos/{video.id}/poster.jpg" if video.info else None


def _preview_url(video: ProfileVideo) -> str | None:
    return f"/videos/{video.id}/preview.mp4" if video.preview_ready else None


def _step(name: str, title: str, run_id: str | None, *, done: bool) -> Step:
    if run_id is None:
        return Step(name=name, title=title, status="WAITING")
    try:
        run = lodger.get_run(run_id)
    except RunNotFound:  # finished runs are pruned after some days; what they made stays
        return Step(name=name, title=title, status="SUCCEEDED" if done else "FAILED")
    return Step(
        name=name,
        title=title,
        status=str(run.status),
        attempt=run.attempt,
        max_attempts=run.max_attempts or 0,
        interruptions=run.interruptions,
        done=(run.progress.done or 0) if run.progress else 0,
        total=(run.progress.total or 0) if run.progress else 0,
        message=(run.progress.message or "") if run.progress else "",
        error=run.error.message if run.error else "",
    )

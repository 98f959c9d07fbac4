"""Takes a video in: the file to disk, its row and its job to the database in one transaction."""

import shutil
import uuid
from pathlib import PurePath
from typing import BinaryIO

from examples.dating.config import config
from examples.dating.jobs import media_metadata
from examples.dating.tables import ProfileVideo, User, writing

SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv")


class BadUpload(Exception):
    """Shown to the person at the form."""


def take(user: User, filename: str, content: BinaryIO) -> int:
    """Keep the file and queue its job; returns the video's id. Either both happen or neither."""
    suffix = PurePath(filename).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadUpload(f"Please choose a video file ({', '.join(SUFFIXES)}).")
    stored = config().uploads / f"{uuid.uuid4().hex}{suffix}"
    try:
        with stored.open("xb") as file:
            shutil.copyfileobj(content, file)
        if stored.stat().st_size == 0:
            raise BadUpload("The file is empty.")
        with writing() as session:
            video = ProfileVideo(
                user_id=user.id,
                title=PurePath(filename.replace("\\", "/")).name[-100:],
                stored_name=stored.name,
                size_bytes=stored.stat().st_size,
            )
            session.add(video)
            session.flush()
            video.metadata_run_id = media_metadata.using(tx=session).enqueue(video.id).id
            video_id = video.id
    except BaseException:
        stored.unlink(missing_ok=True)
        raise
    return video_id

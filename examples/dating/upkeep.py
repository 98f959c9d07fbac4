"""What the site does by the clock: nightly matches, sign-ins that have run out, how full the disk is.

Knows nothing of jobs and schedules; `jobs.py` says when each of these is done.
"""

import hashlib
import time
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from examples.dating.config import config
from examples.dating.tables import Match, ProfileVideo, SignIn, User, writing

PER_MEMBER = 3


def expire_sign_ins() -> int:
    """Delete the sign-ins that are over; returns how many."""
    with writing() as session:
        gone = session.execute(delete(SignIn).where(SignIn.expires_at_seconds <= int(time.time())))
        return gone.rowcount  # type: ignore[attr-defined]


def measure() -> dict[str, dict[str, int]]:
    """Files and bytes of each folder of the site."""
    folders = {"uploads": config().uploads, "posters": config().posters, "previews": config().previews}
    return {name: _measured(folder) for name, folder in folders.items()}


def _measured(folder: Path) -> dict[str, int]:
    sizes = [path.stat().st_size for path in folder.glob("*") if path.is_file()]
    return {"files": len(sizes), "bytes": sum(sizes)}


def match_members(session: Session, day: str) -> int:
    """Pick for each member some others who can be seen, other ones each day; returns how many pairs."""
    visible = list(session.scalars(select(ProfileVideo.user_id).where(ProfileVideo.preview_ready).distinct()))
    session.execute(delete(Match))
    pairs = 0
    for member in session.scalars(select(User.id)).all():
        others = sorted((other for other in visible if other != member), key=lambda other: _chance(day, member, other))
        session.add_all(Match(user_id=member, other_id=other, day=day) for other in others[:PER_MEMBER])
        pairs += len(others[:PER_MEMBER])
    return pairs


def _chance(day: str, member: int, other: int) -> bytes:
    """Order others by chance, but the same one however often the day is matched."""
    return hashlib.sha256(f"{day} {member} {other}".encode()).digest()

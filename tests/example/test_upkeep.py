"""What the example does by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from examples.dating import config, upkeep
from examples.dating.tables import Base, Match, ProfileVideo, SignIn, User, engine

SEEN, UNSEEN = 5, 2


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Seven members, of whom five can be seen; the site's own engine points at them too."""
    url = f"sqlite:///{tmp_path}/dating.db"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATING_DATA", str(tmp_path))
    made = create_engine(url)
    Base.metadata.create_all(made)
    with Session(made) as opened:
        for number in range(SEEN + UNSEEN):
            video = ProfileVideo(title="v", stored_name="v", size_bytes=1, preview_ready=number < SEEN)
            opened.add(User(name=f"n{number}", password_hash="", videos=[video, video]))
        opened.commit()
        yield opened
    made.dispose()
    if engine.cache_info().currsize:
        engine().dispose()
    engine.cache_clear()
    config.config.cache_clear()


def pairs(session: Session) -> set[tuple[int, int]]:
    return {(match.user_id, match.other_id) for match in session.scalars(select(Match))}


def test_each_member_gets_others_who_can_be_seen(session: Session) -> None:
    made = upkeep.match_members(session, "2027-03-28")
    found = pairs(session)
    assert made == len(found) == (SEEN + UNSEEN) * upkeep.PER_MEMBER
    assert all(user != other for user, other in found)
    assert {other for _, other in found} <= set(range(1, SEEN + 1))


def test_a_night_made_twice_is_the_same_and_another_one_differs(session: Session) -> None:
    upkeep.match_members(session, "2027-03-28")
    first = pairs(session)
    upkeep.match_members(session, "2027-03-28")
    assert pairs(session) == first
    upkeep.match_members(session, "2027-03-29")
    assert pairs(session) != first


def test_sign_ins_that_are_over_go(session: Session) -> None:
    session.add_all(SignIn(token_hash=str(at), user_id=1, expires_at_seconds=at) for at in (1, 2, 2**40))
    session.commit()
    assert upkeep.expire_sign_ins() == 2
    assert upkeep.expire_sign_ins() == 0
    assert [one.expires_at_seconds for one in session.scalars(select(SignIn))] == [2**40]


def test_storage_is_counted(session: Session) -> None:
    config.config().make_folders()
    (config.config().posters / "1.jpg").write_bytes(b"123")
    assert upkeep.measure()["posters"] == {"files": 1, "bytes": 3}
    assert upkeep.measure()["uploads"] == {"files": 0, "bytes": 0}

"""The site's own tables, in the same database as Lodger's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from examples.dating.config import config

_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_WRITES = "dating_writes"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "dating_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    videos: Mapped[list[ProfileVideo]] = relationship(back_populates="user", order_by="ProfileVideo.id.desc()")


class SignIn(Base):
    """A session cookie; only the hash of its token is kept."""

    __tablename__ = "dating_sign_in"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("dating_user.id"))
    expires_at_seconds: Mapped[int] = mapped_column(BigInteger)
    """Unix time."""


class ProfileVideo(Base):
    __tablename__ = "dating_profile_video"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("dating_user.id"), index=True)
    title: Mapped[str] = mapped_column(String(100))
    """The file's name on the uploader's machine: for showing only, never a path."""
    stored_name: Mapped[str] = mapped_column(String(60))
    """In the uploads folder."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    metadata_run_id: Mapped[str | None] = mapped_column(String(36))
    preview_run_id: Mapped[str | None] = mapped_column(String(36))
    info: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What `media.probe` found: the fields of MediaInfo."""
    preview_ready: Mapped[bool] = mapped_column(default=False)
    user: Mapped[User] = relationship(back_populates="videos")


class Match(Base):
    """Somebody picked for a member; made anew each night."""

    __tablename__ = "dating_match"

    user_id: Mapped[int] = mapped_column(ForeignKey("dating_user.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("dating_user.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10))


def create_tables() -> None:
    with engine().execution_options(**{_WRITES: True}).begin() as connection:
        Base.metadata.create_all(connection)


@contextmanager
def reading() -> Iterator[Session]:
    """A session that leaves no trace."""
    with Session(engine()) as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """One transaction: committed at the end of the block, rolled back if the block raises."""
    with Session(engine().execution_options(**{_WRITES: True}), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def finishing() -> Iterator[Session]:
    """A transaction that somebody else commits: `run.complete_in`."""
    with Session(engine().execution_options(**{_WRITES: True})) as session:
        yield session


@cache
def engine() -> Engine:
    """The process's engine; made when first needed, so that a child process never inherits a connection."""
    made = create_engine(_with_driver(make_url(config().database_url)), pool_pre_ping=True)
    if made.dialect.name == "sqlite":
        _settle_sqlite(made)
    return made


def _with_driver(url: URL) -> URL:
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _settle_sqlite(engine: Engine) -> None:
    """Readers beside one writer (WAL), and a writer that queues at BEGIN instead of failing halfway.

    A transaction that reads first and writes later is refused on the spot when another one wrote in
    between, however long it is willing to wait; so the ones that will write say so at BEGIN.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # leave BEGIN to us
        for pragma in ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

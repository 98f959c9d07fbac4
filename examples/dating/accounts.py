"""Names, passwords, session cookies."""

import hashlib
import hmac
import secrets
import time
import unicodedata

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from examples.dating.tables import SignIn, User, reading, writing

COOKIE = "dating_session"
STAY_SECONDS = 7 * 24 * 3600
MIN_PASSWORD = 8
MAX_PASSWORD = 200
MAX_NAME = 40

# 16 MiB and some 50 ms for one guess; stored with the hash, so that raising it later locks nobody out.
_SCRYPT_N = 2**14
_SCRYPT_R = 8
_SCRYPT_P = 1


class Refused(Exception):
    """Shown to the person at the form."""


def sign_up(name: str, password: str) -> str:
    """Make an account and sign it in; returns the cookie's token."""
    name = unicodedata.normalize("NFC", name).strip()
    if not 2 <= len(name) <= MAX_NAME or not name.isprintable():
        raise Refused(f"A name has 2 to {MAX_NAME} letters.")
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Refused(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.")
    password_hash = hashed(password)
    try:
        with writing() as session:
            user = User(name=name, password_hash=password_hash)
            session.add(user)
            session.flush()
            return _new_token(session, user)
    except IntegrityError:
        raise Refused(f"The name {name} is taken.") from None


def sign_in(name: str, password: str) -> str:
    """Check name and password; returns the cookie's token."""
    name = unicodedata.normalize("NFC", name).strip()
    with reading() as session:
        user = session.scalar(select(User).where(User.name == name))
    # An unknown name costs as much time as a wrong password: the answer's delay tells nothing.
    stored = user.password_hash if user else _STANDIN_HASH
    if not matches(password, stored) or user is None:
        raise Refused("Name or password is wrong.")
    with writing() as session:
        return _new_token(session, user)


def sign_out(token: str) -> None:
    with writing() as session:
        session.execute(delete(SignIn).where(SignIn.token_hash == _digest(token)))


def signed_in(token: str | None) -> User | None:
    if not token:
        return None
    with reading() as session:
        return session.scalar(
            select(User)
            .join(SignIn, SignIn.user_id == User.id)
            .where(SignIn.token_hash == _digest(token), SignIn.expires_at_seconds > int(time.time()))
        )


def hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    key = _scrypt(password, salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    return f"scrypt${_SCRYPT_N}${_SCRYPT_R}${_SCRYPT_P}${salt.hex()}${key.hex()}"


def matches(password: str, stored: str) -> bool:
    _, n, r, p, salt, key = stored.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p)), bytes.fromhex(key))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=64 * 1024 * 1024, dklen=32)


def _new_token(session: Session, user: User) -> str:
    now = int(time.time())
    session.execute(delete(SignIn).where(SignIn.expires_at_seconds <= now))
    token = secrets.token_urlsafe(32)
    session.add(SignIn(token_hash=_digest(token), user_id=user.id, expires_at_seconds=now + STAY_SECONDS))
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


_STANDIN_HASH = f"scrypt${_SCRYPT_N}${_SCRYPT_R}${_SCRYPT_P}${'00' * 16}${'00' * 32}"

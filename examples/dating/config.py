"""Where the site keeps its things, read from the environment once."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Config:
    """The site's settings; the web process and every worker process must see the same ones."""

    database_url: str
    data: Path
    max_upload_bytes: int

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def posters(self) -> Path:
        return self.data / "posters"

    @property
    def previews(self) -> Path:
        return self.data / "previews"

    def make_folders(self) -> None:
        for folder in (self.uploads, self.posters, self.previews):
            folder.mkdir(parents=True, exist_ok=True)


def report_seconds() -> float:
    """How often the storage is measured: DATING_REPORT_SECONDS, an hour by default."""
    return float(os.environ.get("DATING_REPORT_SECONDS", "3600"))


@cache
def config() -> Config:
    """Read DATABASE_URL, DATING_DATA (a folder) and DATING_MAX_UPLOAD_MB (default 200)."""
    return Config(
        database_url=_required("DATABASE_URL", "sqlite:////abs/path/dating.db"),
        data=Path(_required("DATING_DATA", "/abs/path/data")).resolve(),
        max_upload_bytes=int(os.environ.get("DATING_MAX_UPLOAD_MB", "200")) * MEBIBYTE,
    )


def _required(name: str, example: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"{name} is not set; for example {name}={example} (python -m examples.dating sets it for you)")
    return value

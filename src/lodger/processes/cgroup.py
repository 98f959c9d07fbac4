"""What the container allows: its CPU quota and its memory limit, as Linux' control groups say.

A limit may stand at the process' own group or at any above it; the smallest counts. Version 1 has a tree per
controller, version 2 one for all; a machine may have both. Inside a container the tree often begins at its own
group, whatever path /proc/self/cgroup tells: then that path does not exist, and the walk up ends at the right one.
Elsewhere than on Linux there are no limits to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

SELF: Final = Path("/proc/self")
UNIFIED: Final = ""
"""The key of version 2, which names no controller."""
NO_LIMIT_BYTES: Final = 2**60
"""Version 1 says "none" as the largest number of pages."""

Mounts: TypeAlias = Mapping[str, tuple[str, Path]]
"""By controller: which group of the tree is mounted, and where."""


def cpu_quota(proc: Path = SELF) -> float | None:
    """Return the tightest CPU quota over this process, in CPUs; None: there is none."""
    return min((cpus for group in _groups("cpu", proc) if (cpus := _quota_of(group)) is not None), default=None)


def memory_limit(proc: Path = SELF) -> int | None:
    """Return the tightest memory limit over this process in bytes; None: there is none."""
    texts = (_text(group / "memory.max") or _text(group / "memory.limit_in_bytes") for group in _groups("memory", proc))
    return min((limit for text in texts if (limit := parse_bytes(text)) is not None), default=None)


def throttled_periods(proc: Path = SELF) -> int:
    """Return how often the kernel has stopped this process' groups so far, since their CPU quota was used up."""
    return sum(parse_throttled(_text(group / "cpu.stat")) for group in _groups("cpu", proc))


def _quota_of(group: Path) -> float | None:
    text = _text(group / "cpu.max") or " ".join(_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return parse_quota(text)


def _groups(controller: str, proc: Path) -> Iterator[Path]:
    """Yield the directories of this process' group and of those above it."""
    member = parse_membership(_text(proc / "cgroup"))
    mounts = parse_mounts(_text(proc / "mountinfo"))
    tree = controller if controller in member and controller in mounts else UNIFIED
    if tree not in member or tree not in mounts:
        return
    root, mount = mounts[tree]
    path = PurePosixPath(member[tree])
    inside = path.relative_to(root) if path.is_relative_to(root) else path.relative_to("/")
    for part in (inside, *inside.parents):
        if (mount / part).is_dir():
            yield mount / part


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


# What the files say


def parse_membership(text: str) -> dict[str, str]:
    """Return the group by controller, from /proc/PID/cgroup."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match line.split(":", 2):
            case [_, controllers, path]:
                found |= dict.fromkeys(controllers.split(","), path)
    return found


def parse_mounts(text: str) -> dict[str, tuple[str, Path]]:
    """Return what is mounted by controller, from /proc/PID/mountinfo; the first mount of each counts."""
    found: dict[str, tuple[str, Path]] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        match left.split(" "), right.split(" "):  # one blank each: the source of a mount may be empty
            case [_, _, _, root, mount, *_], ["cgroup2", *_]:
                found.setdefault(UNIFIED, (root, Path(mount)))
            case [_, _, _, root, mount, *_], ["cgroup", _, options]:
                for controller in options.split(","):
                    found.setdefault(controller, (root, Path(mount)))
    return found


def parse_quota(text: str) -> float | None:
    """Return CPUs, from "quota period" in microseconds; "max" and -1 are none."""
    match text.split():
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
            return int(quota) / int(period)
        case _:
            return None


def parse_throttled(text: str) -> int:
    """Return ``nr_throttled``, from cpu.stat."""
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("nr_throttled ")), 0)


def parse_bytes(text: str) -> int | None:
    """Return a memory limit; "max" and the largest numbers are none."""
    text = text.strip()
    return int(text) if text.isdecimal() and int(text) < NO_LIMIT_BYTES else None

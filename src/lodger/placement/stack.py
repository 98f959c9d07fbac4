"""What this process is doing, as the stacks of its threads tell: what runs, not what somebody has only imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType


def runs(module: str, function: str = "") -> bool:
    """Whether any thread is inside code of ``module`` or one below it (in its ``function``, if one is named)."""
    return any(
        _is_within(str(frame.f_globals.get("__name__")), module) and function in {"", frame.f_code.co_name}
        for frame in _frames()
    )


def _is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def _frames() -> Iterator[FrameType]:
    for top in sys._current_frames().values():  # noqa: SLF001 - documented; traceback and faulthandler see no modules
        frame: FrameType | None = top
        while frame is not None:
            yield frame
            frame = frame.f_back

"""The tables that people read (they are Markdown too, for docs/benchmarks.md)."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import Any

import sqlalchemy

import lodger


def machine() -> str:
    """Return what the figures were measured on."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLAlchemy {sqlalchemy.__version__}, Lodger {lodger.__version__}; "
        "default durability (every commit on disk)"
    )


def render(engine: str, result: dict[str, Any]) -> str:
    """Return one engine's table; x is Lodger's figure divided by the raw driver's."""
    lines = [f"\n### {engine} {result['version']}\n", "| | | raw driver | x raw |", "|---|---:|---:|---:|"]
    for figure in result["figures"]:
        raw = figure["raw"]
        times = f"{figure['value'] / raw:.2f}" if raw else ""
        shown_raw = _number(raw) if raw else ""
        lines.append(f"| {figure['name']} | {_number(figure['value'])} {figure['unit']} | {shown_raw} | {times} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

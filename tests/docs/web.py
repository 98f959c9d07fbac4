"""Asks a web server of a document, and reads what it says."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block


def address_in(log: Path) -> str:
    """Where the server says that it listens; empty until it does."""
    said = [line for line in log.read_text().splitlines() if "running on http" in line]
    return said[0].partition("running on ")[2].split()[0] if said else ""


def get_text(url: str, method: str = "GET") -> str:
    """Send a request to a server of ours; return the answer's text."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:  # noqa: S310
        return str(answer.read().decode())


def ask(url: str, method: str = "GET") -> Any:
    """Send a request; return the answer's JSON."""
    return json.loads(get_text(url, method))


def ended(url: str) -> dict[str, Any] | None:
    """The run at this address, once it has ended."""
    told: dict[str, Any] = ask(url)
    return told if told["status"] in {"SUCCEEDED", "FAILED", "CANCELLED"} else None


def text_of(document: Path, blocks: Sequence[Block]) -> str:
    """A document without its blocks."""
    inside = {number for block in blocks for number in range(block.line, block.line + block.text.count("\n"))}
    lines = enumerate(document.read_text().splitlines(), 1)
    return "\n".join(line for number, line in lines if number not in inside)

"""The code blocks of a document, sorted into what tests can do with them.

```python                 run, together with the other blocks under the same heading, in order
# shop/jobs.py            a block that begins with a path is that file; blocks with one path are joined
```sh, ```procfile        commands: each is looked at
```sql                    run on the migrated database
<!-- on postgresql -->    above a block: on which engine it runs (else SQLite)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FENCE: Final = re.compile(r"^```(\w*)$")
ENGINE: Final = re.compile(r"^<!-- on (\w+) -->$")
HEADING: Final = re.compile(r"^#{1,4} (.+)$")
PATH: Final = re.compile(r"^# ([\w/]+\.py)$")
LANGUAGES: Final = {"python", "sh", "procfile", "sql", "text"}


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block."""

    language: str
    text: str
    line: int
    """Of its first line of code, from 1."""
    heading: str
    engine: str

    @property
    def path(self) -> str | None:
        """The file that it is, if it says so."""
        found = PATH.match(self.text.partition("\n")[0])
        return found[1] if found and self.language == "python" else None


def read_blocks(document: Path) -> list[Block]:
    """All fenced blocks of a document, in order."""
    found: list[Block] = []
    heading, engine, opened = "", "sqlite", None
    lines = document.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if opened is not None:
            if line == "```":
                language, start = opened
                text = "\n".join(lines[start - 1 : number - 1]) + "\n"
                found.append(Block(language=language, text=text, line=start, heading=heading, engine=engine))
                opened, engine = None, "sqlite"
        elif fence := FENCE.match(line):
            opened = fence[1], number + 1
        elif told := ENGINE.match(line):
            engine = told[1]
        elif title := HEADING.match(line):
            heading = title[1]
    assert opened is None, f"{document.name}: the block at line {opened[1]} has no end" if opened else ""
    return found


def files(blocks: list[Block]) -> dict[str, str]:
    """The files that the document tells, by path."""
    made: dict[str, str] = {}
    for block in blocks:
        if block.path is not None:
            made[block.path] = f"{made[block.path]}\n\n{block.text}" if block.path in made else block.text
    return made


def scripts(blocks: list[Block]) -> dict[str, list[Block]]:
    """The blocks to run, by the heading they stand under and their engine."""
    made: dict[str, list[Block]] = {}
    for block in blocks:
        if block.language == "python" and block.path is None:
            made.setdefault(f"{block.heading}-{block.engine}", []).append(block)
    return made

"""The project that a document tells: its files in a folder, its database, its worker, its web server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.docs.blocks import Block

RUNNER: Final = Path(__file__).with_name("runner.py")
PROGRAMS: Final = Path(sys.executable).parent
QUICK: Final = {
    "LODGER_BEAT_SECONDS": "1",
    "LODGER_CANCEL_SECONDS": "0.2",
    "LODGER_GRACE_SECONDS": "2",
    "LODGER_JOB_PRIORITY": "normal",
}
END_SECONDS: Final = 30.0


class Project:
    """A folder with the document's files and a database."""

    def __init__(self, folder: Path, url: str, files: dict[str, str], runtime: Path) -> None:
        self.folder = folder
        self.url = url
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
            **QUICK,
            "DATABASE_URL": url,
            "LODGER_RUNTIME_DIR": str(runtime),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

    def run(self, *command: str, told: str = "", timeout: float = 120, **variables: str) -> str:
        """Run a program to its end; return what it has printed."""
        done = subprocess.run(
            [str(PROGRAMS / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment | variables,
            input=told,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def execute(self, document: Path, blocks: Sequence[Block], prelude: str = "") -> None:
        """Run the blocks in a process of their own."""
        first = [(1, prelude)] if prelude else []
        told = json.dumps([*first, *((block.line, block.text) for block in blocks)])
        self.run("python", "-W", "error::DeprecationWarning", str(RUNNER), document.name, told=told, PYTHONPATH=".")

    @contextmanager
    def running(self, *command: str, **variables: str) -> Iterator[Path]:
        """Run a program beside the block, then end it by SIGTERM; it must end in order. Gives its log."""
        log = self.folder / f"{command[0]}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(PROGRAMS / command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment | variables,
                stdout=out,
                stderr=out,
            )
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(END_SECONDS)
            finally:
                process.kill()
            assert code in {0, -signal.SIGTERM}, log.read_text()

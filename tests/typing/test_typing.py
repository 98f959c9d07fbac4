"""What users see of the API in their editor: right calls pass two type checkers, wrong ones don't.

The calls are in the other files of this folder. A wrong one is marked `# type: ignore[...]`, and a mark that is not
needed is an error itself: so an annotation that gets too narrow fails a right call, one that gets too wide a mark.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
MARK = re.compile(r"  # type: ignore\[.*\]$")
TOOLS = ["mypy", "pyright"]
PYRIGHT = {
    "exclude": ["**/test_*.py"],
    "extraPaths": [str(ROOT / "src"), str(ROOT)],
    "pythonVersion": "3.11",
    "typeCheckingMode": "strict",
    "reportUnnecessaryTypeIgnoreComment": "error",
}


def check(tool: str, folder: Path, scratch: Path) -> set[tuple[str, int]]:
    """Run a type checker on the files of `folder`; return what it refuses as (file, line)."""
    files = sorted(path for path in folder.glob("*.py") if not path.name.startswith("test_"))
    assert files
    if tool == "mypy":
        options = [
            "--no-error-summary",
            "--hide-error-context",
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
            *map(str, files),
        ]
    else:
        config = scratch / "pyrightconfig.json"
        config.write_text(json.dumps(PYRIGHT | {"include": [str(folder)]}))
        options = ["--pythonpath", sys.executable, "--project", str(config)]
    command = [sys.executable, "-m", tool, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    print(done.stdout)
    refused = re.findall(r"(\w+\.py):(\d+)(?::\d+)?(?::| -) error", done.stdout)
    return {(name, int(line)) for name, line in refused}


@pytest.mark.parametrize("tool", TOOLS)
def test_right_calls_are_accepted_and_wrong_ones_refused(tool: str, tmp_path: Path) -> None:
    assert check(tool, HERE, tmp_path) == set()


@pytest.mark.parametrize("tool", TOOLS)
def test_both_type_checkers_really_look(tool: str, tmp_path: Path) -> None:
    """Without their marks all wrong calls are reported, and nothing else."""
    folder = tmp_path / "calls"
    folder.mkdir()
    wrong: set[tuple[str, int]] = set()
    for path in HERE.glob("*.py"):
        if path.name.startswith("test_"):
            continue
        lines = path.read_text().splitlines()
        wrong |= {(path.name, number) for number, line in enumerate(lines, 1) if MARK.search(line)}
        (folder / path.name).write_text("\n".join(MARK.sub("", line) for line in lines) + "\n")
    assert len(wrong) > 50
    assert check(tool, folder, tmp_path) == wrong

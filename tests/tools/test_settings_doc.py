"""docs/settings.md says what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from lodger.client.options import Options
from lodger.settings import Settings
from tools import settings_doc, settings_words

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r'"((?:LODGER|DATABASE|EMBEDDED|JOB)_[A-Z_]+)"')


def row(first: str) -> list[str]:
    """The cells of the first row that begins with `first`."""
    line = next(line for line in settings_doc.page().splitlines() if line.startswith(f"| `{first}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "tools.settings_doc", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", [one.name for one in fields(Settings)])
def test_each_setting_has_a_row_with_its_variable_and_a_sentence(name: str) -> None:
    keyword, variable, kind, default, _unit, _allowed, sentence = row(name)
    assert keyword == f"`{name}`"
    assert variable.startswith("`LODGER_")
    assert kind in settings_doc.KINDS.values()
    assert default
    assert len(sentence) > 10


def test_rows_say_default_unit_and_bounds() -> None:
    assert row("grace_seconds")[2:6] == ["number", "`8`", "s", "0 to 86400"]
    assert row("keep_failed_seconds")[3:6] == ["`2592000` (30 days)", "s", "0 or more"]
    assert row("migrate")[2:6] == ["yes or no", "no", "", ""]
    assert row("queues")[2:4] == ["list", "empty"]
    assert row("jitter")[1] == "`0.2`"
    assert row("on")[1] == "`Exception`"
    assert row("key")[1] == "must be given"


def test_each_variable_that_the_code_names_is_there() -> None:
    """Red for a variable that is read somewhere in src and told nowhere."""
    named = {name for path in (ROOT / "src").rglob("*.py") for name in VARIABLE.findall(path.read_text())}
    assert {"DATABASE_URL", "EMBEDDED_JOB_WORKER", "LODGER_GRACE_SECONDS"} <= named
    page = settings_doc.page()
    assert [name for name in sorted(named) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("option", Options.__annotations__)
def test_each_option_of_an_enqueue_is_there(option: str) -> None:
    assert row(option)


def test_an_option_without_words_stops_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(settings_words.JOB, "on_crash")
    with pytest.raises(SystemExit, match="on_crash"):
        settings_doc.page()


def test_words_without_an_option_stop_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings_words.RETRY, "patience", "How patient")
    with pytest.raises(SystemExit, match="patience"):
        settings_doc.page()


def test_the_document_of_the_repository_is_up_to_date() -> None:
    assert settings_doc.compare(settings_doc.page(), ROOT / settings_doc.FILE) == ""


def test_check_fails_and_shows_what_differs_until_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    assert check(tmp_path, "--check").returncode == 1
    assert check(tmp_path).returncode == 0
    assert check(tmp_path, "--check").returncode == 0
    file = tmp_path / settings_doc.FILE
    file.write_text(file.read_text().replace("`LODGER_NICE` | integer | `10`", "`LODGER_NICE` | integer | `19`"))
    done = check(tmp_path, "--check")
    assert done.returncode == 1
    assert "-| `nice` | `LODGER_NICE` | integer | `19`" in done.stdout
    assert "+| `nice` | `LODGER_NICE` | integer | `10`" in done.stdout


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5400.0, "`5400` (90 minutes)"),
        (7200.0, "`7200` (2 hours)"),
        (90.0, "`90`"),
        (86400.0, "`86400` (24 hours)"),
        (0.5, "`0.5`"),
    ],
)
def test_long_times_are_told_in_larger_units_too(value: float, text: str) -> None:
    assert settings_doc.shown(value, is_seconds=True) == text

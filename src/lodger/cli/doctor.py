"""``lodger doctor``: is work flowing? What stands in its way, with numbers, and what to do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lodger import settings as settings_module
from lodger.cli.connection import opened
from lodger.cli.paint import Colour, Paint, painter
from lodger.cli.table import clean, counted, table
from lodger.doctor.facts import Facts, Finding, Severity, exit_code
from lodger.doctor.look import look
from lodger.doctor.rules import examine

COLOURS: Final[dict[Severity, Colour]] = {"error": "red", "warning": "yellow", "unknown": "dim"}
STATUS: Final = {0: "fine", 1: "warnings", 2: "errors"}


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = commands.add_parser("doctor", help="is work flowing? exit code 0: yes, 1: warnings, 2: errors")
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look once, print what is found."""
    settings = settings_module.read()
    with opened(settings) as database:
        facts = look(database, settings)
        safe = database.url.safe
    findings = examine(facts)
    code = exit_code(findings)
    if options.json:
        print(json.dumps(_plain(facts, findings, code), indent=2))
    else:
        print(_shown(facts, findings, safe, painter()))
    return code


def _plain(facts: Facts, findings: Sequence[Finding], code: int) -> dict[str, Any]:
    return {
        "status": STATUS[code],
        "at": facts.now.isoformat(),
        "environment": facts.here.environment,
        "live_workers": len(facts.present),
        "findings": [{name: getattr(one, name) for name in one.__slots__} for one in findings],
    }


def _shown(facts: Facts, findings: Sequence[Finding], safe: str, paint: Paint) -> str:
    counts = {severity: sum(one.severity == severity for one in findings) for severity in COLOURS}
    head = f"{clean(safe)}, environment {clean(facts.here.environment)}, {counted(len(facts.present), 'live worker')}: "
    if not counts["error"] and not counts["warning"]:
        head += paint("nothing stands in the way of work", "green")
    else:
        head += f"{counted(counts['error'], 'error')}, {counted(counts['warning'], 'warning')}"
    rows = [[one.severity, one.rule, one.what] for one in findings]
    summary = _painted(table(["severity", "finding", "what"], rows), findings, paint) if rows else ""
    details = [_detail(one, paint) for one in findings if one.todo]
    return "\n\n".join(part for part in (head, summary, *details) if part)


def _painted(text: str, findings: Sequence[Finding], paint: Paint) -> str:
    """Return the table with its first words in colour: after it was aligned, since colours have a length."""
    head, *lines = text.splitlines()
    painted = [
        paint(one.severity, COLOURS[one.severity]) + line[len(one.severity) :]
        for one, line in zip(findings, lines, strict=True)
    ]
    return "\n".join([head, *painted])


def _detail(finding: Finding, paint: Paint) -> str:
    title = f"{paint(finding.severity, COLOURS[finding.severity])} {paint(finding.rule, 'bold')}: {clean(finding.what)}"
    return f"{title}\n  seen   {clean(_evidence(finding.evidence))}\n  to do  {clean(finding.todo)}"


def _evidence(evidence: Mapping[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in evidence.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name or '-'} {number:.0f}" for name, number in value.items())
    return str(value)

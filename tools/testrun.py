"""`make test`: the tests on all engines, and proof that all engines were tested.

Starts one server of each kind for the whole run, runs pytest in several processes, and reads from pytest's report what
ran where. A skipped test fails the run, and so does a store test that some engine did not see.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tools.servers import SERVERS, ServerError, server_version

if TYPE_CHECKING:
    from collections.abc import Sequence

ENGINES = ("sqlite", *SERVERS)
SHOWN_COMPLAINTS = 20
REPORT = Path("build/junit.xml")
STORE_TESTS = "tests.store."


@dataclass
class Tally:
    """What the report says; `run`, `failures` and `store` (the names of the store tests) are by engine."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    run: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    store: dict[str, set[str]] = field(default_factory=lambda: {engine: set() for engine in ENGINES})


def main(arguments: Sequence[str]) -> int:
    """Run the tests; `arguments` go to pytest."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with ExitStack() as stack:
        try:
            urls = start_servers(stack)
        except ServerError as error:
            print(f"The tests need all three engines, and one can't be started.\n{error}", file=sys.stderr)
            return 1
        versions = {"sqlite": sqlite3.sqlite_version} | {name: server_version(url) for name, url in urls.items()}
        status = run_pytest(arguments, urls)
    if not REPORT.exists():
        return status or 1
    tally = read_report(REPORT)
    complaints = judge(tally, whole_run=not arguments)
    print_summary(tally, versions, complaints)
    return status or bool(complaints)


def start_servers(stack: ExitStack) -> dict[str, str]:
    """The URL of each server; one that the environment names already is used as it is."""
    urls = {}
    for name, server in SERVERS.items():
        given = os.environ.get(f"LODGER_TEST_{name.upper()}_URL")
        urls[name] = given or stack.enter_context(server()).url
    return urls


def run_pytest(arguments: Sequence[str], urls: dict[str, str]) -> int:
    """Run pytest beside the servers and return its exit status."""
    REPORT.unlink(missing_ok=True)
    processes = os.environ.get("LODGER_TEST_PROCESSES", "2")
    command = [sys.executable, "-m", "pytest", "-n", processes, "--dist", "worksteal", f"--junit-xml={REPORT}"]
    environment = {**os.environ, **{f"LODGER_TEST_{name.upper()}_URL": url for name, url in urls.items()}}
    with subprocess.Popen([*command, *arguments], env=environment) as pytest:
        try:
            return pytest.wait()
        except KeyboardInterrupt:  # pytest had it too, and has a summary to print
            return pytest.wait()
        finally:
            pytest.terminate()


def read_report(report: Path) -> Tally:
    """Count the tests of a JUnit report; a test's engine stands in its parameters: `test_claim[mariadb]`."""
    tally = Tally()
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 (our own pytest wrote it)
        module, name = case.get("classname", ""), case.get("name", "")
        function, _, inside = name.partition("[")
        parameters = inside.removesuffix("]").split("-")
        engine = next((engine for engine in ENGINES if engine in parameters), "")
        failed = case.find("failure") is not None or case.find("error") is not None
        if case.find("skipped") is not None:
            tally.skipped.append(f"{module}.{name}")
            continue
        tally.failed += failed
        tally.passed += not failed
        if engine:
            tally.run[engine] += 1
            tally.failures[engine] += failed
            # What one engine alone can do is tested in a folder named after it: tests/store/postgresql/.
            if module.startswith(STORE_TESTS) and module.split(".")[2] not in ENGINES:
                parameters.remove(engine)
                tally.store[engine].add("-".join([f"{module}.{function}", *parameters]))
    return tally


def judge(tally: Tally, *, whole_run: bool) -> list[str]:
    """What is wrong with a run in which no test failed."""
    complaints = [f"skipped, which no test may be: {name}" for name in tally.skipped]
    if whole_run:
        everywhere = set.union(*tally.store.values())
        complaints += [
            f"{engine} did not see the store test {test}"
            for engine in ENGINES
            for test in sorted(everywhere - tally.store[engine])
        ]
    return complaints


def print_summary(tally: Tally, versions: dict[str, str], complaints: Sequence[str]) -> None:
    """The last lines of the run."""
    print(f"\n{'engine':<12}{'version':<12}{'tests':>7}{'failed':>8}{'store tests':>16}")
    for engine in ENGINES:
        counts = f"{tally.run[engine]:>7}{tally.failures[engine]:>8}{len(tally.store[engine]):>16}"
        print(f"{engine:<12}{versions[engine]:<12}{counts}")
    for complaint in complaints[:SHOWN_COMPLAINTS]:
        print(f"FAILED: {complaint}")
    if more := complaints[SHOWN_COMPLAINTS:]:
        print(f"FAILED: and {len(more)} more of this kind")
    # A complaint is a failed check of the run itself.
    print(f"{tally.passed} passed, {tally.failed + len(complaints)} failed", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

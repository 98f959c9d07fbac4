"""`make test` counts what ran where, and is not satisfied with less than all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools.testrun import judge, print_summary, read_report

if TYPE_CHECKING:
    from pathlib import Path


def report_of(tmp_path: Path, *cases: str) -> Path:
    """A JUnit report as pytest writes it."""
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


def case(name: str, inside: str = "", module: str = "tests.store.test_claims") -> str:
    """One test of a report."""
    return f'<testcase classname="{module}" name="{name}" time="0.1">{inside}</testcase>'


DRIVERS = ["sqlite-aiosqlite", "postgresql-psycopg", "postgresql-asyncpg", "mariadb-pymysql"]
ALL_ENGINES = [case("test_a[sqlite]"), case("test_a[postgresql]"), case("test_a[mariadb]")]


def test_tests_are_counted_by_the_engine_among_their_parameters(tmp_path: Path) -> None:
    tally = read_report(
        report_of(
            tmp_path,
            *ALL_ENGINES,
            case("test_b[mariadb-sync]", "<failure/>"),
            case("test_c[3-mariadb]", "<error/>"),
            case("test_d[sqlite]", module="tests.worker.test_loop"),
            case("test_mariadb"),
        )
    )
    assert (tally.passed, tally.failed) == (5, 2)
    assert tally.run == {"sqlite": 2, "postgresql": 1, "mariadb": 3}
    assert tally.failures == {"sqlite": 0, "postgresql": 0, "mariadb": 2}
    assert {engine: len(tests) for engine, tests in tally.store.items()} == {"sqlite": 1, "postgresql": 1, "mariadb": 3}


def test_a_run_that_saw_all_engines_is_fine(tmp_path: Path) -> None:
    assert judge(read_report(report_of(tmp_path, *ALL_ENGINES)), whole_run=True) == []


def test_an_engine_that_missed_a_store_test_is_a_complaint(tmp_path: Path) -> None:
    tally = read_report(report_of(tmp_path, *ALL_ENGINES[:2]))
    assert judge(tally, whole_run=True) == ["mariadb did not see the store test tests.store.test_claims.test_a"]
    assert judge(tally, whole_run=False) == [], "a selection of tests may be of one engine"


def test_an_engine_that_missed_one_case_of_a_store_test_is_a_complaint(tmp_path: Path) -> None:
    cases = [case(f"test_a[{engine}-3]") for engine in ("sqlite", "postgresql", "mariadb")]
    tally = read_report(report_of(tmp_path, *cases, case("test_a[sqlite-4]"), case("test_a[4-mariadb]")))
    assert judge(tally, whole_run=True) == ["postgresql did not see the store test tests.store.test_claims.test_a-4"]


def test_doors_are_tested_with_the_drivers_an_engine_has(tmp_path: Path) -> None:
    doors = [case(f"test_commit[{driver}]", module="tests.doors.test_doors") for driver in DRIVERS[1:]]
    assert judge(read_report(report_of(tmp_path, *ALL_ENGINES, *doors)), whole_run=True) == []


def test_what_one_engine_alone_can_do_is_not_missed_on_the_others(tmp_path: Path) -> None:
    alone = case("test_notify[postgresql]", module="tests.store.postgresql.test_notify")
    tally = read_report(report_of(tmp_path, *ALL_ENGINES, alone))
    assert judge(tally, whole_run=True) == []
    assert tally.run["postgresql"] == 2


def test_a_skipped_test_is_a_complaint(tmp_path: Path) -> None:
    tally = read_report(report_of(tmp_path, *ALL_ENGINES, case("test_b", "<skipped/>")))
    assert judge(tally, whole_run=False) == ["skipped, which no test may be: tests.store.test_claims.test_b"]
    assert tally.passed == 3


def test_the_last_line_counts_complaints_as_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = read_report(report_of(tmp_path, *ALL_ENGINES))
    versions = {"sqlite": "3.40.1", "postgresql": "18.6", "mariadb": "10.11.19"}
    print_summary(tally, versions, ["something"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 passed, 1 failed"
    assert lines[-2] == "FAILED: something"
    assert lines[-3].split() == ["mariadb", "10.11.19", "1", "0", "1"]

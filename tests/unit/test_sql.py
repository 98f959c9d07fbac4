"""Statements: parameters in every style, and the dialects' words."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodger.store.sql import Statement, Tables, Terms, joined, restyle, statement

DIALECTS = ("postgresql", "mysql", "sqlite")
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("sql", "pyformat", "numeric", "order"),
    [
        ("SELECT :a", "SELECT %(a)s", "SELECT $1", ("a",)),
        (":a, :b, :a", "%(a)s, %(b)s, %(a)s", "$1, $2, $1", ("a", "b")),
        ("x LIKE '50%' AND y = :y", "x LIKE '50%%' AND y = %(y)s", "x LIKE '50%' AND y = $1", ("y",)),
        ("a::text = :b", "a::text = %(b)s", "a::text = $1", ("b",)),
        (":b::int", "%(b)s::int", "$1::int", ("b",)),
        ("(:id_0,:id_1)", "(%(id_0)s,%(id_1)s)", "($1,$2)", ("id_0", "id_1")),
        ("'12:30' :30 x:y", "'12:30' :30 x:y", "'12:30' :30 x:y", ()),
        ("SELECT 1 % 2", "SELECT 1 %% 2", "SELECT 1 % 2", ()),
    ],
)
def test_parameters_are_rewritten_for_the_driver(sql: str, pyformat: str, numeric: str, order: tuple[str, ...]) -> None:
    """Casts, times of day and percent signs are no parameters."""
    assert restyle(sql, "named") == (sql, ())
    assert restyle(sql, "pyformat") == (pyformat, ())
    assert restyle(sql, "numeric") == (numeric, order)


@given(st.lists(NAMES, min_size=1, max_size=12))
def test_the_order_gives_each_place_its_own_parameter(names: list[str]) -> None:
    """The values laid out in that order, put back into their places, are the original again."""
    sql = ", ".join(f":{name}" for name in names)
    text, order = restyle(sql, "numeric")
    assert [order[int(place[1:]) - 1] for place in text.split(", ")] == names
    assert len(order) == len(set(names))
    for style, mark in (("format", "%s"), ("qmark", "?")):
        text, order = restyle(sql, style)  # type: ignore[arg-type]
        assert text.split(", ") == [mark] * len(names)
        assert list(order) == names


def test_percent_signs_are_doubled_only_where_the_driver_halves_them() -> None:
    """Pyformat and format go through Python's % operator."""
    texts = {style: restyle("50% :a", style)[0] for style in ("named", "pyformat", "numeric", "format", "qmark")}
    assert texts == {
        "named": "50% :a",
        "pyformat": "50%% %(a)s",
        "numeric": "50% $1",
        "format": "50%% %s",
        "qmark": "50% ?",
    }


def test_a_statement_is_written_once_per_dialect_tables_and_style() -> None:
    """On the hot path nothing is built."""
    written: list[str] = []

    def build(t: Terms) -> str:
        written.append(t.dialect)
        return f"SELECT :x FROM {t.run}"

    made = statement(build)
    for _ in range(3):
        assert made.render("sqlite", Tables(), "named")[0] == "SELECT :x FROM lodger_run"
        assert made.render("mysql", Tables(), "pyformat")[0] == "SELECT %(x)s FROM lodger_run"
        assert made.render("postgresql", Tables(schema="s"), "numeric") == ("SELECT $1 FROM s.lodger_run", ("x",))
    assert written == ["sqlite", "mysql", "postgresql"]
    assert repr(made) == "Statement(build)"
    assert isinstance(made, Statement)


def test_all_tables_carry_prefix_and_schema() -> None:
    """Two apps can share a database."""
    terms = Terms("postgresql", Tables(prefix="p_", schema="jobs"))
    found = [terms.run, terms.attempt, terms.worker, terms.queue, terms.log, terms.meta]
    assert found == [f"jobs.p_{noun}" for noun in ("run", "attempt", "worker", "queue", "log", "meta")]
    assert Terms("sqlite", Tables()).run == "lodger_run"


@pytest.mark.parametrize("skip", [True, False])
def test_only_sqlite_locks_no_rows(skip: bool) -> None:
    """It has one writer, and no such words."""
    clauses = [Terms(dialect, Tables()).for_update(skip_locked=skip) for dialect in DIALECTS]  # type: ignore[arg-type]
    assert clauses == ["FOR UPDATE SKIP LOCKED" if skip else "FOR UPDATE"] * 2 + [""]


@pytest.mark.parametrize(
    ("names", "column", "found"),
    [
        (["a", "b"], "a", True),
        (["a", "b"], "b", True),
        (["a", "b"], "c", False),
        (["ab"], "a", False),
        (["ab"], "b", False),
        (["a"], "A", False),
        ([], "a", False),
        (["a_b"], "axb", False),
    ],
)
def test_a_name_is_among_others_only_as_a_whole(names: list[str], column: str, found: bool) -> None:
    """SQLite searches one text for a part of it: the commas make it whole names."""
    condition = Terms("sqlite", Tables()).among("c", "names")
    answer = sqlite3.connect(":memory:").execute(
        f"SELECT {condition} FROM (SELECT :c AS c)", {"c": column, "names": joined(names, "sqlite")}
    )
    assert bool(answer.fetchone()[0]) is found

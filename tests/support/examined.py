"""A connection that explains each statement it runs and counts what it reads of the runs' table.

What counts as read: rows on PostgreSQL (EXPLAIN ANALYZE) and MariaDB (the handler's counters), on SQLite steps of its
virtual machine, of which a row takes a few dozen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

from lodger.store.database import Conn, Database
from lodger.store.sql import Params, Statement

RUN = {"lodger_run", "r"}
INDEX_NAMES = {"PRIMARY": "primary", "lodger_run_pkey": "primary", "PRIMARY KEY": "primary"}
REMOVED = {"Rows Removed by Filter", "Rows Removed by Index Recheck", "Rows Removed by Join Filter"}
STEPS_PER_ROW = 250
GRAIN = 50
SCAN = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|(PRIMARY KEY)))?")


@dataclass(frozen=True, kw_only=True)
class Access:
    """How one statement came to its runs: the indexes, whether it visited all entries of one or sorted, how much."""

    statement: str
    indexes: frozenset[str]
    whole: bool
    sorts: bool
    read: float
    """Rows; on SQLite steps of a row's size."""
    text: str


class Examiner(Conn):
    """Works inside one transaction that is rolled back."""

    def __init__(self, conn: Conn) -> None:
        super().__init__(conn.raw, conn.dialect, conn.tables, None)
        self.seen: list[Access] = []
        self._probe = conn.raw.cursor()
        self._steps = 0
        if self.dialect == "sqlite":
            conn.raw.set_progress_handler(self._count_steps, GRAIN)
        self._own_reads = -self._reads() + self._reads()

    def rows(self, statement: Statement, **params: Any) -> list[Any]:
        """Run a statement that answers rows."""
        with self._examined(statement, params):
            return super().rows(statement, **params)

    def write(self, statement: Statement, **params: Any) -> int:
        """Run a statement that writes."""
        with self._examined(statement, params):
            return super().write(statement, **params)

    def write_many(self, statement: Statement, batch: Sequence[Params]) -> int:
        """Run a statement for each row of a batch; the first is explained, the mean is what it reads."""
        with self._examined(statement, batch[0], len(batch)):
            return super().write_many(statement, batch)

    @contextmanager
    def _examined(self, statement: Statement, params: Params, times: int = 1) -> Iterator[None]:
        sql, _ = statement.render(self.dialect, self.tables, self._style)
        explain = {"postgresql": self._postgresql, "mysql": self._mysql, "sqlite": self._sqlite}[self.dialect]
        plan = explain(sql.strip(), params)
        before = self._reads()
        yield
        told = {"read": (self._reads() - before - self._own_reads) / times, **plan}
        self.seen.append(Access(statement=statement.name, **told))

    def _reads(self) -> float:
        """How much was read so far; asking adds `_own_reads`."""
        if self.dialect == "mysql":
            self._probe.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
            return sum(int(value) for _, value in self._probe.fetchall())
        return self._steps / STEPS_PER_ROW

    def _count_steps(self) -> int:
        self._steps += GRAIN
        return 0

    # PostgreSQL

    def _postgresql(self, sql: str, params: Params) -> dict[str, Any]:
        self._probe.execute("SAVEPOINT examined")
        self._probe.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        (found,) = self._probe.fetchone()
        self._probe.execute("ROLLBACK TO SAVEPOINT examined")
        nodes = list(_nodes(found[0]["Plan"]))
        ours = _scans(found[0]["Plan"])
        indexes = {str(node["Index Name"]) for node in nodes if "Index Name" in node}
        return {
            "indexes": _known(indexes),
            "whole": any(node["Node Type"] == "Seq Scan" for node in ours),
            "sorts": any("Sort" in node["Node Type"] and _scans(node) for node in nodes),
            "read": sum(map(_rows_read, ours)),
            "text": json.dumps(found[0]["Plan"], indent=1),
        }

    # MariaDB

    def _mysql(self, sql: str, params: Params) -> dict[str, Any]:
        self._probe.execute(f"EXPLAIN {sql}", params or None)
        names = [column[0] for column in self._probe.description]
        steps = [dict(zip(names, row, strict=True)) for row in self._probe.fetchall()]
        ours = [step for step in steps if step["table"] in RUN and step["select_type"] != "INSERT"]
        return {
            "indexes": _known({str(step["key"]) for step in ours if step["key"]}),
            "whole": any(step["type"] in {"ALL", "index"} for step in ours),
            "sorts": any("filesort" in str(step["Extra"]) for step in ours),
            "text": "\n".join(map(str, steps)),
        }

    # SQLite

    def _sqlite(self, sql: str, params: Params) -> dict[str, Any]:
        lines = [str(row[-1]) for row in self._probe.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()]
        ours = [found for line in lines if (found := SCAN.search(line)) and found[2] in RUN]
        return {
            "indexes": _known({found[3] or found[4] for found in ours if found[3] or found[4]}),
            "whole": any(found[1] == "SCAN" for found in ours),
            "sorts": any("FOR ORDER BY" in line for line in lines),
            "text": "\n".join(lines),
        }


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The scans of runs in and below a node."""
    return [n for n in _nodes(plan) if n.get("Relation Name") == "lodger_run" and "Scan" in n["Node Type"]]


def _rows_read(node: dict[str, Any]) -> int:
    per_loop = sum(float(count) for name, count in node.items() if name == "Actual Rows" or name in REMOVED)
    return ceil(per_loop * int(node["Actual Loops"]))


def _known(indexes: set[str]) -> frozenset[str]:
    """The short names of the indexes of runs; others' are left out."""
    short = {INDEX_NAMES.get(name, name.removeprefix("lodger_run_")) for name in indexes}
    return frozenset(name for name in short if not name.startswith("lodger_"))


def examine(database: Database, work: Callable[[Conn], None]) -> list[Access]:
    """Return how the statements of `work` come to their rows, and undo what it did."""
    with database.connect() as conn:
        examiner = Examiner(conn)
        examiner.run("BEGIN")
        try:
            work(examiner)
        finally:
            examiner.run("ROLLBACK")
            if examiner.dialect == "sqlite":
                conn.raw.set_progress_handler(None, 0)
        return examiner.seen

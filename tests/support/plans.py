"""How the engine would find the rows of a statement, as one text that tests can read."""

from __future__ import annotations

from typing import Any

from lodger.store.database import Database
from lodger.store.sql import Statement

EXPLAIN = {"postgresql": "EXPLAIN", "mysql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}
# What ended leaves entries in the indexes until they are cleaned; with them the plan would be that of a full table.
REFRESH = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE lodger_run", "sqlite": "ANALYZE"}
WHOLE_TABLE = {
    "postgresql": ("Seq Scan on lodger_run",),
    "mysql": ("table=lodger_run type=ALL", "table=lodger_run type=index"),
    "sqlite": ("SCAN lodger_run",),
}


def plan_of(database: Database, statement: Statement, **params: Any) -> str:
    """The plan, a step per line; statistics are brought up to date first."""
    dialect = database.dialect
    explain = Statement(lambda t: f"{EXPLAIN[dialect]} {statement.build(t).strip()}")
    with database.connect() as conn:
        if dialect == "mysql":
            conn.rows(Statement(lambda _: REFRESH[dialect]))
            steps = conn.dicts(explain, **params)
            return "\n".join(" ".join(f"{key}={value}" for key, value in step.items()) for step in steps)
        conn.run(REFRESH[dialect])
        return "\n".join(str(step[-1]) for step in conn.rows(explain, **params))


def reads_the_whole_table(database: Database, plan: str) -> bool:
    """Whether a plan has a step that reads every run."""
    return any(step in plan for step in WHOLE_TABLE[database.dialect])

"""Plans that PostgreSQL gets wrong when it makes them once for all parameters, or while a table was small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import ClientCursor

from lodger.model.ids import new_id
from lodger.model.outcome import Returned
from lodger.store import claims, finish, runs, upkeep
from lodger.store.sql import Statement, Tables, statement
from tests.support.bulk import QUEUED, freeze_statistics, load, refresh_statistics
from tests.support.store import Store, ending, new_run

LOADED = 20_000
PARAMS: dict[str, Any] = {
    "owner": new_id(),
    "worker": new_id(),
    "engine": 1,
    "queue": "default",
    "jobs": "{j}",
    "limit": 100,
    "id": new_id(),
    "ids": f"{{{new_id()}}}",
    "fence": 1,
    "result": None,
}


@statement
def claim_joined(_: Any) -> str:
    """The claim as one would write it first: a CTE joined to the runs."""
    return """
WITH due AS MATERIALIZED (
  SELECT id FROM lodger_run WHERE ready_queue = :queue AND job = ANY(CAST(:jobs AS text[]))
  ORDER BY claim_rank, run_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)
UPDATE lodger_run AS r SET engine = :engine FROM due WHERE r.id = due.id AND r.status = 'QUEUED' RETURNING r.id"""


def generic_plan(store: Store, made: Statement, params: dict[str, Any]) -> str:
    """The plan that the server makes once for all parameters of a prepared statement."""
    sql, order = made.render("postgresql", Tables(), "numeric")
    with store.database.connect() as conn, ClientCursor(conn.raw.dbapi_connection) as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE one AS {sql}")
        values: Sequence[Any] = [params[name] for name in order]
        cursor.execute(f"EXPLAIN EXECUTE one ({', '.join(['%s'] * len(values))})", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE one; RESET plan_cache_mode")
    return plan


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("name", ["claim_due", "promote_due", "succeed_array", "complete_run"])
def test_the_statements_by_key_are_right_even_when_planned_once_for_all(
    store: Store, name: str, analyzed: bool
) -> None:
    """Some drivers of an app's own prepare what they send; poolers share it.

    `claim_joined` shows the trap: the planner takes LIMIT $n for a tenth of the table, and reads all of it.
    """
    freeze_statistics(store)
    load(store, LOADED, QUEUED)
    if analyzed:
        refresh_statistics(store)
    modules = (claims, finish, runs, upkeep)
    made = next(vars(module)[name] for module in modules if name in vars(module))
    plan = generic_plan(store, made, PARAMS)
    assert "Seq Scan on lodger_run" not in plan
    assert "lodger_run_pkey" in plan
    if name == "claim_due" and analyzed:
        assert "Sort" not in plan
        assert "Seq Scan on lodger_run" in generic_plan(store, claim_joined, PARAMS)


def test_nothing_is_prepared_on_the_server(store: Store) -> None:
    """What is planned while the table is small stays, and reads all of it when it has grown; poolers lose it.

    Fails without prepare_threshold=None: psycopg prepares what it has sent five times.
    """
    freeze_statistics(store)
    assert "Seq Scan on lodger_run" in generic_plan(store, finish.finish, {"rows": "[]"})
    worker = store.worker()
    with store.database.connect() as conn:
        for _ in range(12):
            store.insert(new_run())
            with conn.transaction():
                (run,) = claims.claim(conn, worker=worker, engine=1, queue="default", jobs=["j"], limit=1)
            with conn.transaction():
                finish.record(conn, [ending(run, Returned("1"))])
        assert conn.value(Statement(lambda _: "SELECT count(*) FROM pg_prepared_statements")) == 0

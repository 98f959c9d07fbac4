"""The database's own limit: Lodger's statements on the driver's cursor, with no Lodger around them."""

from __future__ import annotations

from typing import Any

from lodger.store import claims, finish
from lodger.store.database import BEGIN, Conn
from lodger.store.sql import Statement, joined
from lodger.store.values import id_in


def claim_and_finish(conn: Conn, key: str, size: int, batches: int | None = None) -> None:
    """Claim ``size`` and finish them, each in one commit, until the queue is empty or ``batches`` are done."""
    cursor = conn.raw.cursor()
    done = 0
    while batches is None or done < batches:
        ids = _claim(conn, cursor, key, size)
        if not ids:
            break
        _finish(conn, cursor, ids)
        done += 1
    cursor.close()


def _claim(conn: Conn, cursor: Any, key: str, size: int) -> list[Any]:
    params = {
        "owner": id_in(conn.dialect, key),
        "engine": 1,
        "queue": "async",
        "jobs": joined(("nothing",), conn.dialect),
        "limit": size,
    }
    if conn.dialect == "postgresql":  # one statement, one autocommit
        cursor.execute(_text(conn, claims.claim_due), params)
        return [row[0] for row in cursor.fetchall()]
    cursor.execute(BEGIN[conn.dialect])
    if conn.dialect == "sqlite":
        cursor.execute(_text(conn, claims.claim_due), params)
        ids = [row[0] for row in cursor.fetchall()]
    else:
        engine = params.pop("engine")
        cursor.execute(_text(conn, claims.lock_due), params)
        ids = sorted(row[0] for row in cursor.fetchall())
        if ids:
            keys = {f"id_{i}": one for i, one in enumerate(ids)}
            cursor.execute(
                _text(conn, claims.take_locked(len(ids))), {"owner": params["owner"], "engine": engine, **keys}
            )
    cursor.execute("COMMIT")
    return ids


def _finish(conn: Conn, cursor: Any, ids: list[Any]) -> None:
    if conn.dialect == "postgresql":
        cursor.execute(_text(conn, finish.succeed_array), {"ids": ids})
        return
    keys = {f"id_{i}": one for i, one in enumerate(ids)}
    cursor.execute(BEGIN[conn.dialect])
    cursor.execute(_text(conn, finish.succeed_list(len(ids))), keys)
    cursor.execute("COMMIT")


def _text(conn: Conn, statement: Statement) -> str:
    style = "named" if conn.dialect == "sqlite" else "pyformat"
    return statement.render(conn.dialect, conn.tables, style)[0]

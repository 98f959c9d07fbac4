"""What tables there are, as text to compare."""

from __future__ import annotations

from lodger.store.database import Conn, Database
from lodger.store.sql import Statement


def describe(database: Database) -> list[str]:
    """Tables, columns, indexes and checks of one prefix, without the prefix."""
    with database.connect() as conn:
        lines = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}[database.dialect](conn)
    return sorted(line.replace(conn.tables.prefix, "") for line in lines)


def _rows(conn: Conn, sql: str) -> list[str]:
    like = conn.tables.prefix.replace("_", r"\_") + "%"
    return [" ".join(map(str, row)) for row in conn.rows(Statement(lambda _: sql), like=like)]


def _postgresql(conn: Conn) -> list[str]:
    columns = """
SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length, is_nullable, column_default
FROM information_schema.columns WHERE table_name LIKE :like"""
    checks = """
SELECT r.relname, pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
WHERE r.relname LIKE :like"""
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename LIKE :like"
    options = "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND relname LIKE :like"
    return [line for sql in (columns, checks, indexes, options) for line in _rows(conn, sql)]


def _mysql(conn: Conn) -> list[str]:
    there = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE :like"
    return [
        str(conn.rows(Statement(lambda _, name=name: f"SHOW CREATE TABLE {name}"))[0][1])  # type: ignore[misc]
        for name in _rows(conn, there)
    ]


def _sqlite(conn: Conn) -> list[str]:
    return _rows(conn, r"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name LIKE :like ESCAPE '\'")

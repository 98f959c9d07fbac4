"""Column types by meaning, one column of this table per dialect."""

from __future__ import annotations

from typing import Final

from lodger.store.sql import DialectName

TYPES: Final[dict[str, dict[DialectName, str]]] = {
    "id": {"postgresql": "uuid", "mysql": "BINARY(16)", "sqlite": "BLOB"},
    # Names compare byte by byte everywhere: MariaDB's default collations fold case and trailing blanks.
    "name": {
        "postgresql": "varchar(200)",
        "mysql": "VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin",
        "sqlite": "TEXT",
    },
    "word": {
        "postgresql": "varchar(16)",
        "mysql": "VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin",
        "sqlite": "TEXT",
    },
    "label": {
        "postgresql": "varchar(255)",
        "mysql": "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "sqlite": "TEXT",
    },
    "text": {"postgresql": "text", "mysql": "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "sqlite": "TEXT"},
    "small": {"postgresql": "smallint", "mysql": "SMALLINT", "sqlite": "INTEGER"},
    "int": {"postgresql": "integer", "mysql": "INT", "sqlite": "INTEGER"},
    "long": {"postgresql": "bigint", "mysql": "BIGINT", "sqlite": "INTEGER"},
    "flag": {"postgresql": "smallint", "mysql": "TINYINT", "sqlite": "INTEGER"},
    "time": {"postgresql": "timestamptz", "mysql": "DATETIME(6)", "sqlite": "INTEGER"},
    "hash": {"postgresql": "bytea", "mysql": "BINARY(32)", "sqlite": "BLOB"},
}


def column(dialect: DialectName, name: str, kind: str, rest: str = "") -> str:
    """Return one column's definition; ``rest`` is NOT NULL, DEFAULT and the like."""
    return f"{name} {TYPES[kind][dialect]} {rest}".rstrip()


def table(dialect: DialectName, name: str, parts: list[str], primary_key: str) -> str:
    """Return CREATE TABLE; SQLite keeps rows in the primary key's own tree."""
    body = ",\n  ".join([*parts, f"PRIMARY KEY ({primary_key})"])
    tail = {"postgresql": "", "mysql": " ENGINE=InnoDB", "sqlite": " WITHOUT ROWID"}[dialect]
    return f"CREATE TABLE IF NOT EXISTS {name} (\n  {body}\n){tail}"

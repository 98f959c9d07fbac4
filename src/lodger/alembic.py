"""For the app's own Alembic: autogenerate leaves Lodger's tables alone.

In ``env.py``:

    from lodger.alembic import include_name

    context.configure(connection=connection, target_metadata=Base.metadata, include_name=include_name)

Lodger's tables are made by ``lodger migrate`` and stand in no metadata of the app's; without this, autogenerate
writes a migration that drops them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lodger.errors import ConfigurationError
from lodger.settings import read


def include_name(
    name: str | None,
    type_: str,
    parent_names: Mapping[Any, str | None],  # noqa: ARG001 - Alembic passes it
    *,
    prefix: str | None = None,
) -> bool:
    """Return False for Lodger's tables, True for everything else; what Alembic calls ``include_name``.

    A table is told by its name alone, so that one which a later release has added is left alone too. An app with a
    hook of its own combines them: ``include_name(name, type_, parents) and mine(name, type_, parents)``.

    Args:
        name: of what Alembic found in the database.
        type_: what it found: "schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint".
        parent_names: the schema and table it is in.
        prefix: what Lodger's tables begin with; else LODGER_PREFIX, else ``lodger_``.

    Raises ConfigurationError when the prefix is empty: then nothing tells Lodger's tables from the app's.
    """
    if type_ != "table" or name is None:  # Alembic looks at the indexes of a table only when it looks at the table
        return True
    begins = read({"prefix": prefix}).prefix
    if not begins:
        raise ConfigurationError("LODGER_PREFIX", begins, "a prefix that tells Lodger's tables from the app's")
    return not name.startswith(begins)

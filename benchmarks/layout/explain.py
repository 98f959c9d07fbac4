"""Query plans, shortened so that equal ones look equal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from .model import Engine, Table

# Lists of ids or names and JSON texts, which may be long.
LITERAL = re.compile(r"'[\[{].*")
WIDTH = 110


def plans_of(engine: Engine, table: Table, n: int) -> dict[str, str]:
    """Plans of every statement on this table, without its name."""
    return {name: plain(plan, table.name) for name, plan in engine.explain(table, n).items()}


def plain(plan: str, name: str) -> str:
    lines = [LITERAL.sub("...", line).replace(name, "run") for line in plan.splitlines()]
    # PostgreSQL numbers a second use of the same table, and cuts long index names.
    lines = [re.sub(r" on run(_ready|_claimed)? \w+$", r" on run\1", line) for line in lines]
    lines = [re.sub(r"\$\d", "$n", line) for line in lines]
    return "\n".join(line if len(line) < WIDTH else line[: WIDTH - 3] + "..." for line in lines)


def gathered(results: Iterable[Mapping[str, object]]) -> list[str]:
    """Every plan once, under the tables that have it."""
    seen: dict[tuple[str, str], list[str]] = {}
    for result in results:
        plans = result.get("plans", {})
        assert isinstance(plans, dict)
        for key, by_name in plans.items():
            for name, plan in by_name.items():
                seen.setdefault((name, plan), []).append(key)
    lines = []
    for (name, plan), keys in sorted(seen.items()):
        lines += ["", f"plan of {name} ({'; '.join(dict.fromkeys(keys))})"]
        lines += ["    " + line for line in plan.splitlines()]
    return lines

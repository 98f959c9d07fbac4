"""Compare table layouts: python -m benchmarks.layout --engine sqlite|postgresql|mariadb."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from typing import Any

from . import experiments
from .explain import gathered
from .model import LAYOUTS, Engine


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layout", description=__doc__)
    parser.add_argument("--engine", required=True, choices=["sqlite", "postgresql", "mariadb"])
    parser.add_argument(
        "--url",
        default=os.environ.get("DATABASE_URL", ""),
        help="server (default: DATABASE_URL); for sqlite a folder (default: the temporary one)",
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="finished rows of 'growth'")
    parser.add_argument(
        "--only",
        default="",
        help="comma list of: layouts, finish, flight, filter, together, enqueue, growth",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="factor on the number of rounds")
    parser.add_argument("--json", action="store_true", help="print JSON, plans included")
    return parser.parse_args()


def connect(name: str, url: str) -> Engine:
    """Drivers are imported here, so that one engine does not need the others'."""
    if name == "sqlite":
        from .sqlite import SQLite

        return SQLite("" if "://" in url else url)
    if not url:
        sys.exit("--url or DATABASE_URL is needed for a server")
    if name == "postgresql":
        from .postgresql import PostgreSQL

        return PostgreSQL(url)
    from .mariadb import MariaDB

    return MariaDB(url)


def chosen(only: str, rows: int) -> dict[str, Callable[[Engine, float], Iterator[Any]]]:
    every: dict[str, Callable[[Engine, float], Iterator[Any]]] = {
        "layouts": experiments.layouts,
        "finish": experiments.finish_shapes,
        "flight": experiments.in_flight,
        "filter": experiments.claim_filter,
        "together": experiments.together,
        "enqueue": experiments.enqueue,
        "growth": lambda engine, speed: experiments.growth(engine, speed, rows),
    }
    names = only.split(",") if only else list(every)
    return {name: every[name] for name in names}


def show(result: dict[str, Any]) -> None:
    """One plain text table, and the plans below it."""
    rows = result["rows"]
    heads = list(rows[0])
    cells = [heads, *([str(row.get(head, "")) for head in heads] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    print(f"\n## {result['title']}")
    for line in cells:
        first = line[0].ljust(widths[0])
        print(
            "  ".join(
                [
                    first,
                    *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)),
                ]
            )
        )
    sys.stdout.flush()


def main() -> None:
    args = arguments()
    engine = connect(args.engine, args.url)
    head = f"{engine.version()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    results = []
    if not args.json:
        print(f"# Layout benchmark: {head}")
        print("ms: median of one batch. x: speed relative to the first row (higher is better).")
        print("\n".join(f"{layout.key}: {layout.what}" for layout in LAYOUTS))
    try:
        for run in chosen(args.only, args.rows).values():
            for result in run(engine, args.speed):
                results.append(result)
                if not args.json:
                    show(result)
    finally:
        engine.close()
    if not args.json:
        print("\n".join(gathered(results)))
    else:
        print(json.dumps({"engine": head, "results": results}, indent=1))


if __name__ == "__main__":
    main()

"""The comparisons; each answers with rows ready to be printed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from .explain import plans_of
from .measure import Timed, interleave, ms, rates, seconds
from .model import A3, A4, A5, JOBS, LAYOUTS, A, B, Claimed, Engine, Layout, Load, Table

SIZES = {20: 100, 100: 60, 500: 24}  # runs in a batch: rounds
FINISHED = 20_000
Row = dict[str, Any]
Result = dict[str, Any]
Plans = dict[str, dict[str, str]]


class Comparison:
    """Runs one comparison at every batch size, on fresh tables each time."""

    def __init__(self, engine: Engine, title: str, speed: float) -> None:
        self.engine, self.title, self.speed = engine, title, speed
        self.rows: dict[str, Row] = {}

    def rounds(self, n: int) -> int:
        return max(4, int(SIZES[n] * self.speed))

    def table(self, name: str, n: int, layout: Layout, batches: int, foreign: int = 0) -> Table:
        table = Table(f"{name}_{n}", layout)
        self.engine.create(table, Load(FINISHED, n * (batches + 1), foreign))
        return table

    def tidier(self, *tables: Table) -> Callable[[int], None]:
        """Vacuum between rounds, outside the timing."""
        return lambda number: self.engine.tidy(tables) if number % 10 == 9 else None

    def keep(self, n: int, took: Timed) -> None:
        for (name, times), x in zip(took.items(), rates(took).values(), strict=True):
            row = self.rows.setdefault(name, {"": name})
            row[f"n={n} ms"] = round(1000 * statistics.median(times), 2)
            row[f"n={n} x"] = round(x, 2)

    def result(self, **more: Any) -> Result:
        return {"title": self.title, "rows": list(self.rows.values()), **more}


def layouts(engine: Engine, speed: float) -> Iterator[Result]:
    """A against its variants and the split: claim, finish and both."""
    both = Comparison(engine, "Layouts, claim + finish", speed)
    claim = Comparison(engine, "Layouts, claim", speed)
    finish = Comparison(engine, "Layouts, finish", speed)
    plans = {}
    for n in SIZES:
        rounds = both.rounds(n)
        tables = {y.key: both.table(f"layout_{y.key.lower()}", n, y, rounds) for y in LAYOUTS}
        cycle = Cycle(engine, tables, n)
        both.keep(n, interleave(rounds, tables, cycle.batch, both.tidier(*tables.values())))
        claim.keep(n, cycle.claims)
        finish.keep(n, cycle.finishes)
        if n == 100:
            plans = {key: plans_of(engine, table, n) for key, table in tables.items()}
    yield both.result(plans=plans)
    yield claim.result()
    yield finish.result()


class Cycle:
    """Claim n and finish n, the two parts timed apart."""

    def __init__(self, engine: Engine, tables: dict[str, Table], n: int) -> None:
        self.engine, self.tables, self.n = engine, tables, n
        self.claims: Timed = {key: [] for key in tables}
        self.finishes: Timed = {key: [] for key in tables}

    def batch(self, key: str) -> float:
        table, runs = self.tables[key], []
        took = seconds(lambda: runs.extend(self.engine.claim(table, self.n)))
        self.claims[key].append(took)
        self.finishes[key].append(seconds(lambda: self.engine.finish(table, runs)))
        return took + self.finishes[key][-1]


def finish_shapes(engine: Engine, speed: float) -> Iterator[Result]:
    """How a batch of outcomes is written, on layout A."""
    comparison = Comparison(engine, "Finish shapes on A", speed)
    shapes = engine.finish_shapes
    for n in SIZES:
        rounds = comparison.rounds(n)
        table = comparison.table("finish", n, A, rounds * len(shapes))
        batch = partial(finish_batch, engine, table, n, [])
        comparison.keep(n, interleave(rounds, shapes, batch, comparison.tidier(table)))
    yield comparison.result()


def finish_batch(engine: Engine, table: Table, n: int, running: list[list[Claimed]], shape: str) -> float:
    """Finishes the oldest of the batches that are running, after one more was claimed."""
    running.append(engine.claim(table, n))
    oldest = running.pop(0)
    return seconds(lambda: engine.finish(table, oldest, shape))


def in_flight(engine: Engine, _: float) -> Iterator[Result]:
    """The finish with eight batches RUNNING, on tables analysed while none was."""
    rounds, held = (
        6,
        8,
    )  # few rounds at any speed: more of them would make the table large
    shapes = engine.finish_shapes
    for n, finished in ((100, 0), (100, 40_000), (500, 0), (500, 40_000)):
        waiting = n * (rounds * len(shapes) + held + 1)  # one batch is left for EXPLAIN
        size = f"{finished + waiting:,} rows"
        table = Table(f"flight_{n}_{finished}")
        engine.create(table, Load(finished, waiting))
        plans = {size: plans_of(engine, table, n)}
        running = [engine.claim(table, n) for _ in range(held)]
        took = interleave(rounds, shapes, partial(finish_batch, engine, table, n, running))
        title = f"Finish, n = {n}, {held} batches running, {size}"
        yield simple(title, took, plans)


FILTERS: dict[str, tuple[int, list[str] | None, Layout]] = {
    "no filter": (0, None, A),
    "30 names, all rows match": (0, JOBS, A),
    "30 names, 1,000 unknown jobs in front": (1_000, JOBS, A),
    "30 names, 10,000 unknown jobs in front": (10_000, JOBS, A),
    "job in the index: no filter": (0, None, A5),
    "job in the index: all rows match": (0, JOBS, A5),
    "job in the index: 10,000 in front": (10_000, JOBS, A5),
}


def claim_filter(engine: Engine, speed: float) -> Iterator[Result]:
    """What a filter on the job names costs, also when unknown jobs stand in front."""
    comparison = Comparison(engine, "Claim with a filter on 30 job names", speed)
    for n in SIZES:
        rounds = comparison.rounds(n)
        tables = {
            case: comparison.table(f"filter_{i}", n, layout, rounds, foreign)
            for i, (case, (foreign, _, layout)) in enumerate(FILTERS.items())
        }
        batch = partial(filter_batch, engine, tables, n)
        tidy = comparison.tidier(*tables.values())
        comparison.keep(n, interleave(rounds, tables, batch, tidy))
    yield comparison.result()


def filter_batch(engine: Engine, tables: dict[str, Table], n: int, case: str) -> float:
    table, names = tables[case], FILTERS[case][1]
    runs: list[Claimed] = []
    took = seconds(lambda: runs.extend(engine.claim(table, n, names)))
    engine.finish(table, runs)
    return took


def together(engine: Engine, speed: float) -> Iterator[Result]:
    """Finish and next claim in one transaction or in two."""
    comparison = Comparison(engine, "Finish + next claim on A", speed)
    shapes = engine.together_shapes
    for n in SIZES:
        rounds = comparison.rounds(n)
        table = comparison.table("together", n, A, rounds * len(shapes) + 1)
        batch = partial(together_batch, engine, table, n, [engine.claim(table, n)])
        comparison.keep(n, interleave(rounds, shapes, batch, comparison.tidier(table)))
    yield comparison.result()


def together_batch(engine: Engine, table: Table, n: int, running: list[list[Claimed]], shape: str) -> float:
    oldest = running.pop()
    return seconds(lambda: running.append(engine.together(table, oldest, n, shape)))


def enqueue(engine: Engine, speed: float) -> Iterator[Result]:
    """Shapes of a bulk insert on A, and the inserts of the split layout."""
    shapes = engine.enqueue_shapes
    split = f"split layout, {shapes[0]}"
    cases = {shape: (Table("bulk"), shape) for shape in shapes}
    cases[split] = (Table("bulk_split", B), shapes[0])
    engine.create(Table("bulk"), Load(FINISHED))
    engine.create(Table("bulk_split", B), Load(FINISHED))

    def batch(case: str) -> float:
        table, shape = cases[case]
        return seconds(engine.enqueue(table, 1000, shape))

    yield simple(
        "Enqueue 1000 in one transaction",
        interleave(max(6, int(40 * speed)), cases, batch),
    )
    yield simple("Enqueue one, autocommit", single_inserts(engine, speed))


def single_inserts(engine: Engine, speed: float) -> Timed:
    tables = {y.key: Table(f"single_{y.key.lower()}", y) for y in (A, A3, A4, A5, B)}
    for table in tables.values():
        engine.create(table, Load(FINISHED, 1000))

    def batch(key: str) -> float:
        return seconds(engine.enqueue_one(tables[key]))

    return interleave(max(50, int(400 * speed)), tables, batch)


def simple(title: str, took: Timed, plans: Plans | None = None) -> Result:
    rows = [
        {"": name, "p50 ms": round(1000 * statistics.median(took[name]), 2), "x": round(x, 2)}
        for name, x in rates(took).items()
    ]
    return {"title": title, "rows": rows, "plans": plans or {}}


def growth(engine: Engine, speed: float, finished: int) -> Iterator[Result]:
    """Claims of 100 beside many finished and waiting rows, against an empty table."""
    n, rounds = 100, max(30, int(300 * speed))
    waiting = max(10_000, finished // 100)
    tables = {"empty": Table("grow_empty"), "full": Table("grow_full")}
    engine.create(tables["empty"], Load(0, 2 * n))
    load_seconds = seconds(lambda: engine.create(tables["full"], Load(finished, waiting)))
    cycle = Cycle(engine, tables, n)

    def batch(key: str) -> float:
        # The same number is put back, so both queues keep their length.
        engine.enqueue(tables[key], n, engine.enqueue_shapes[0])()
        return cycle.batch(key)

    def tidy(number: int) -> None:
        if number % 50 == 49:
            engine.tidy(list(tables.values()))

    took = interleave(rounds, tables, batch, tidy)
    yield growth_result(engine, tables, took, cycle.claims, (finished, waiting, load_seconds))


def growth_result(engine: Engine, tables: dict[str, Table], took: Timed, claims: Timed, load: Any) -> Result:
    finished, waiting, load_seconds = load
    drain = rates(took)
    rows = [
        {
            "": key if key == "empty" else f"{finished:,} finished + {waiting:,} waiting",
            "claim p50 ms": round(ms(claims[key], 0.5), 2),
            "claim p99 ms": round(ms(claims[key], 0.99), 2),
            "drain x (median)": round(drain[key], 2),
            "drain x (total)": round(sum(took["empty"]) / sum(took[key]), 2),
        }
        for key in tables
    ]
    plans = {key: plans_of(engine, table, 100) for key, table in tables.items()}
    title = f"Growth on A, n = 100 (loaded in {load_seconds:.0f} s)"
    return {"title": title, "rows": rows, "plans": plans}

"""The options of a job's declaration and of one enqueue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

from lodger import Lodger, Retry, RunHandle, Unique
from tests.typing.jobs import Receipt, lodger, plain


def right() -> None:
    handle = plain.using(
        tx=object(),
        queue="media",
        priority=1,
        delay=timedelta(minutes=1),
        run_at=datetime.now(UTC),
        retry=Retry(max_attempts=3),
        timeout=None,
        unique=Unique(key="k", states="waiting", window_seconds=60, conflict="replace"),
        tags=["a"],
        meta={"tenant": 1},
        expires=60,
        executor="process",
        on_crash="fail",
    ).enqueue("a.mp4", width=1)
    assert_type(handle, RunHandle[Receipt])
    plain.using(delay=1.5, unique="k", tags=("a",), expires=timedelta(days=1)).enqueue("a.mp4")
    lodger.by_name("transcode", queue="media", priority=3).using(delay=2).enqueue()


def wrong() -> None:
    plain.using(queue=1)  # type: ignore[arg-type]
    plain.using(priority="high")  # type: ignore[arg-type]
    plain.using(delay="1 s")  # type: ignore[arg-type]
    plain.using(run_at="tomorrow")  # type: ignore[arg-type]
    plain.using(retry=3)  # type: ignore[arg-type]
    plain.using(timeout="1 s")  # type: ignore[arg-type]
    plain.using(unique=1)  # type: ignore[arg-type]
    plain.using(tags=1)  # type: ignore[arg-type]
    plain.using(meta=["a"])  # type: ignore[arg-type]
    plain.using(expires=datetime.now(UTC))  # type: ignore[arg-type]
    plain.using(executor="greenlet")  # type: ignore[arg-type]
    plain.using(on_crash="ignore")  # type: ignore[arg-type]
    plain.using(qeue="media")  # type: ignore[call-arg]
    plain.using(queue="media").enqueue(1)  # type: ignore[arg-type]
    plain.using(queue="media").enqueue("a", queue="b")  # type: ignore[call-arg]
    plain.enqueue("a", priority=1)  # type: ignore[call-arg]
    lodger.by_name("transcode", qeue="media")  # type: ignore[call-arg]
    lodger.by_name("transcode", priority="high")  # type: ignore[arg-type]
    lodger.by_name("transcode").using(executor="greenlet")  # type: ignore[arg-type]
    Unique(key="k", states="all")  # type: ignore[arg-type]
    Unique(key="k", conflict="ignore")  # type: ignore[arg-type]
    Unique("k")  # type: ignore[call-arg]
    Retry(attempts=3)  # type: ignore[call-arg]
    Retry(on=OSError)  # type: ignore[arg-type]


def declarations() -> None:
    app = Lodger()
    app.job(name="a", queue="media", priority=1, timeout=1, executor="process", memory_mb=512, tags=["x"])
    app.job(retry=Retry(max_attempts=5, on=(OSError,)), on_crash="fail", embeddable=False)
    app.job(executor="greenlet")  # type: ignore[call-overload]
    app.job(on_crash="ignore")  # type: ignore[call-overload]
    app.job(retry=3)  # type: ignore[call-overload]
    app.job(embeddable="no")  # type: ignore[call-overload]
    app.job(qeue="media")  # type: ignore[call-overload]
    app.job("name")  # type: ignore[call-overload]

    @app.worker_lifespan  # type: ignore[type-var]
    async def yields_nothing() -> None: ...

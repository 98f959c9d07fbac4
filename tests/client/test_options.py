"""Every option of `using` and of `job`: right, on its bounds, and wrong. Nothing here touches a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lodger import InvalidInput, Lodger, Retry, Unique
from lodger.model.run import NewRun

lodger = Lodger(url="sqlite:////nowhere/at/all.db")
YEAR = 366 * 86400
NOON = datetime(2031, 2, 3, 12, tzinfo=UTC)


@lodger.job(queue="own", priority=3, timeout=30, tags=("own",), on_crash="fail", retry=Retry(max_attempts=7))
def plain(number: int = 0) -> None: ...


@lodger.job()
async def on_loop() -> None: ...


def made(job: Any = plain, **options: Any) -> NewRun:
    """The run that these options make."""
    run: NewRun = job.using(**options).call().run
    return run


def test_without_options_the_jobs_own_hold() -> None:
    run = plain.call(5).run
    assert (run.job, run.queue, run.claim_rank, run.args) == ("plain", "own", -3, '{"number":5}')
    assert (run.tags, run.on_crash, run.max_attempts, run.options) == ('["own"]', "fail", 7, None)
    assert not run.is_scheduled
    assert (run.unique, run.expires_seconds, run.meta) == (None, None, None)


RIGHT = [
    ({"queue": "q"}, "queue", "q"),
    ({"queue": "a.b:c-d_E9"}, "queue", "a.b:c-d_E9"),
    ({"queue": "x" * 64}, "queue", "x" * 64),
    ({"priority": 2_000_000_000}, "claim_rank", -2_000_000_000),
    ({"priority": -2_000_000_000}, "claim_rank", 2_000_000_000),
    ({"delay": 0}, "delay_seconds", 0.0),
    ({"delay": 1.5}, "delay_seconds", 1.5),
    ({"delay": timedelta(minutes=2)}, "delay_seconds", 120.0),
    ({"delay": YEAR}, "delay_seconds", float(YEAR)),
    ({"run_at": NOON}, "run_at", NOON),
    ({"run_at": datetime(1970, 1, 1, tzinfo=UTC)}, "run_at", datetime(1970, 1, 1, tzinfo=UTC)),
    ({"run_at": datetime(9000, 12, 31, tzinfo=UTC)}, "run_at", datetime(9000, 12, 31, tzinfo=UTC)),
    ({"retry": Retry(max_attempts=1)}, "max_attempts", 1),
    ({"retry": Retry(max_attempts=1000)}, "max_attempts", 1000),
    ({"unique": "k"}, "unique", Unique(key="k")),
    ({"unique": Unique(key="k" * 1000, window_seconds=YEAR)}, "unique", Unique(key="k" * 1000, window_seconds=YEAR)),
    ({"tags": ()}, "tags", None),
    ({"tags": ["x" * 64] * 20}, "tags", json.dumps(["x" * 64] * 20, separators=(",", ":"))),
    ({"meta": {"a": [1, None]}}, "meta", '{"a":[1,null]}'),
    ({"meta": {}}, "meta", None),
    ({"expires": 0}, "expires_seconds", 0.0),
    ({"expires": timedelta(days=366)}, "expires_seconds", float(YEAR)),
    ({"on_crash": "retry"}, "on_crash", "retry"),
]


@pytest.mark.parametrize(("options", "field", "expected"), RIGHT, ids=lambda value: str(value)[:40])
def test_a_right_option_is_in_the_run(options: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(made(**options), field) == expected


@pytest.mark.parametrize(
    ("job", "options", "stored"),
    [
        (plain, {"timeout": 0.001}, {"timeout": 0.001}),
        (plain, {"timeout": 30 * 86400}, {"timeout": 2592000.0}),
        (plain, {"timeout": None}, {"timeout": None}),  # None is "no timeout", not "the job's own"
        (plain, {"executor": "thread"}, {"executor": "thread"}),
        (plain, {"executor": "process"}, {"executor": "process"}),
        (on_loop, {"executor": "asyncio"}, {"executor": "asyncio"}),
        (on_loop, {"executor": "process"}, {"executor": "process"}),
        (
            plain,
            {"retry": Retry(max_attempts=2, first_seconds=1, factor=1, max_seconds=9, jitter=0)},
            {"retry": {"max_attempts": 2, "first_seconds": 1, "factor": 1, "max_seconds": 9, "jitter": 0}},
        ),
    ],
)
def test_what_the_worker_reads_travels_with_the_run(job: Any, options: dict[str, Any], stored: dict[str, Any]) -> None:
    text = made(job, **options).options
    assert text is not None
    assert json.loads(text) == stored


WRONG = [
    ("queue", "", "1 to 64 letters"),
    ("queue", "two words", "1 to 64 letters"),
    ("queue", "x" * 65, "1 to 64 letters"),
    ("queue", "é", "1 to 64 letters"),
    ("queue", "line\n", "1 to 64 letters"),
    ("queue", None, "1 to 64 letters"),
    ("queue", 7, "1 to 64 letters"),
    ("priority", 2_000_000_001, "-2000000000 to 2000000000"),
    ("priority", -2_000_000_001, "-2000000000 to 2000000000"),
    ("priority", 1.0, "an integer"),
    ("priority", True, "an integer"),
    ("priority", "high", "an integer"),
    ("priority", None, "an integer"),
    ("delay", -0.001, "0 to a year"),
    ("delay", YEAR + 1, "0 to a year"),
    ("delay", float("nan"), "0 to a year"),
    ("delay", float("inf"), "0 to a year"),
    ("delay", timedelta(seconds=-1), "0 to a year"),
    ("delay", "5", "seconds or a timedelta"),
    ("delay", True, "seconds or a timedelta"),
    ("delay", None, "seconds or a timedelta"),
    ("run_at", NOON.replace(tzinfo=None), "with a time zone"),
    ("run_at", NOON.date(), "with a time zone"),
    ("run_at", 1_900_000_000, "with a time zone"),
    ("run_at", datetime(1969, 12, 31, tzinfo=UTC), "1970 to 9000"),
    ("run_at", datetime(9001, 1, 1, tzinfo=UTC), "1970 to 9000"),
    ("retry", 3, "Retry(max_attempts="),
    ("retry.on", Retry(on=(OSError,)), "the declaration of the job only"),
    ("timeout", 0, "over 0 to 2592000"),
    ("timeout", -1, "over 0 to 2592000"),
    ("timeout", 30 * 86400 + 1, "over 0 to 2592000"),
    ("timeout", float("nan"), "over 0 to 2592000"),
    ("timeout", timedelta(seconds=5), "seconds"),
    ("timeout", True, "seconds"),
    ("unique", 5, "a key (text) or Unique"),
    ("unique", None, "a key (text) or Unique"),
    ("unique key", "", "1 to 1000"),
    ("unique key", "x" * 1001, "1 to 1000"),
    ("tags", "not-a-list", "a list of at most 20"),
    ("tags", ["x"] * 21, "a list of at most 20"),
    ("tags", {"x"}, "a list of at most 20"),
    ("tags", [""], "1 to 64"),
    ("tags", ["x" * 65], "1 to 64"),
    ("tags", [1], "1 to 64"),
    ("tags", None, "a list of at most 20"),
    ("meta", "text", "a dict"),
    ("meta", ["a"], "a dict"),
    ("expires", -1, "0 to a year"),
    ("expires", YEAR + 1, "0 to a year"),
    ("expires", "1", "seconds or a timedelta"),
    ("executor", "asyncio", "'thread' or 'process' for a sync job"),
    ("executor", "", "'thread' or 'process'"),
    ("executor", None, "'thread' or 'process'"),
    ("on_crash", "ignore", "'retry' or 'fail'"),
    ("on_crash", None, "'retry' or 'fail'"),
    ("on_crash", ["fail"], "'retry' or 'fail'"),
    ("executor", ["thread"], "'thread' or 'process'"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), WRONG, ids=lambda value: repr(value)[:40])
def test_a_wrong_option_is_refused_by_name_value_and_what_is_allowed(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        made(**{field.partition(" ")[0].partition(".")[0]: value})
    assert refused.value.field == field
    text = str(refused.value)
    one = value[0] if field == "tags" and isinstance(value, list) and len(value) == 1 else value
    shown = value.on if isinstance(value, Retry) else one
    assert text.startswith(f"{field}: {repr(shown)[:200]}")
    assert "is not allowed; allowed: " in text
    assert allowed in text


def test_the_executor_of_an_async_job_is_not_a_plain_thread() -> None:
    with pytest.raises(InvalidInput, match=r"executor: 'thread' .*'asyncio' or 'process' for an async job"):
        made(on_loop, executor="thread")


def test_delay_and_run_at_exclude_each_other() -> None:
    with pytest.raises(InvalidInput, match=r"delay and run_at: .*one of them"):
        made(delay=1, run_at=NOON)


def test_an_option_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidInput, match="option: 'prio' is not allowed; allowed: tx, queue, priority, delay"):
        plain.using(prio=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="option: 'countdown'"):
        lodger.by_name("other", countdown=1)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="option: 'countdown'"):
        lodger.by_name("other").using(countdown=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"key": None}, "unique key: None"),
        ({"key": 5}, "unique key: 5"),
        ({"states": "running"}, "unique states: 'running' is not allowed; allowed: 'active' or 'waiting'"),
        ({"states": ["active"]}, "unique states: "),
        ({"conflict": "ignore"}, "unique conflict: 'ignore' is not allowed; allowed: 'return', 'raise' or 'replace'"),
        ({"window_seconds": 0}, "unique window_seconds: 0 is not allowed; allowed: "),
        ({"window_seconds": -1}, "unique window_seconds: -1"),
        ({"window_seconds": YEAR + 1}, f"unique window_seconds: {YEAR + 1}"),
        ({"window_seconds": float("nan")}, "unique window_seconds: nan"),
        ({"window_seconds": "5"}, "unique window_seconds: '5'"),
        ({"window_seconds": True}, "unique window_seconds: True"),
        ({"window_seconds": timedelta(seconds=1)}, "unique window_seconds: "),
    ],
)
def test_a_wrong_unique_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Unique(**{"key": "k", **fields})
    assert str(refused.value).startswith(named)


def test_a_text_with_nul_or_half_a_character_is_refused_in_tags_and_meta() -> None:
    for text in ("a\x00b", "\ud800"):
        with pytest.raises(InvalidInput, match=r"tags\[1\]"):
            made(tags=["fine", text])
        with pytest.raises(InvalidInput, match=r"meta\.deep\[0\]"):
            made(meta={"deep": [text]})
        with pytest.raises(InvalidInput, match="meta key"):
            made(meta={text: 1})
    with pytest.raises(InvalidInput, match="meta key: 1 is not allowed; allowed: text keys only"):
        made(meta={1: 1})


# What a job declares


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"name": "two words"}, "job name: 'two words'"),
        ({"name": "x" * 201}, "job name: 'xxx"),
        ({"queue": "two words"}, "queue: 'two words'"),
        ({"priority": 1.5}, "priority: 1.5"),
        ({"timeout": 0}, "timeout: 0"),
        ({"timeout": "5"}, "timeout: '5'"),
        ({"executor": "asyncio"}, "executor: 'asyncio'"),
        ({"executor": "gevent"}, "executor: 'gevent'"),
        ({"retry": 5}, "retry: 5"),
        ({"on_crash": "die"}, "on_crash: 'die'"),
        ({"memory_mb": 64}, "memory_mb: 64 is not allowed; allowed: jobs with executor='process'"),
        ({"memory_mb": 0, "executor": "process"}, "memory_mb: 0 is not allowed; allowed: an integer from 1"),
        ({"memory_mb": 1.5, "executor": "process"}, "memory_mb: 1.5"),
        ({"tags": "abc"}, "tags: 'abc'"),
        ({"embeddable": None}, "embeddable: None is not allowed; allowed: True or False"),
        ({"embeddable": "no"}, "embeddable: 'no'"),
        ({"embeddable": 0}, "embeddable: 0"),
        ({"tags": ["x" * 65]}, "tags: 'xxx"),
    ],
)
def test_a_wrong_declaration_is_refused_where_it_stands(options: dict[str, Any], named: str) -> None:
    own = Lodger(url="sqlite:////nowhere/at/all.db")

    def job() -> None: ...

    with pytest.raises(InvalidInput) as refused:
        own.job(**options)(job)
    assert str(refused.value).startswith(named)
    assert own.registry.jobs == {}


@pytest.mark.parametrize("thing", [int, 5, "name", None], ids=repr)
def test_only_functions_are_jobs(thing: Any) -> None:
    with pytest.raises(InvalidInput, match=r"job: .*a function"):
        lodger.job()(thing)
    with pytest.raises(InvalidInput, match=r"job: .*a function"):
        lodger.job(queue="q")(thing)


def test_without_options_the_brackets_may_be_left_out() -> None:
    own = Lodger(url="sqlite:////nowhere/at/all.db")

    @own.job
    def quick(number: int) -> None: ...

    assert quick.call(number=1).run.job == "quick"
    assert set(own.registry.jobs) == {"quick"}

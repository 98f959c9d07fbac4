"""When to say that nobody serves what waits: stories over time, with a clock that is a number."""

from __future__ import annotations

import pytest

from lodger.model.coverage import EngineState, Look, SeenWorker, Waiting
from lodger.model.orphans import (
    MOST_PAIRS,
    QUIET_SECONDS,
    SOON_SECONDS,
    Overdue,
    Sight,
    Tidings,
    Watchlist,
    orphan_texts,
    overdue_text,
    served_text,
    waits_text,
)
from lodger.model.remedies import Here
from tests.support.seen import seen_worker, work

PAIR = ("q", "j")
GRACE = 15.0
DEAD = seen_worker(is_live=False, beat_seconds=70.0)


def sight(
    *workers: SeenWorker,
    waiting: tuple[Waiting, ...] = (),
    paused: tuple[str, ...] = (),
    overdue: Overdue | None = None,
) -> Sight:
    return Sight(look=Look(workers=workers, waiting=waiting), paused=frozenset(paused), overdue=overdue or Overdue())


def watchlist(grace: float = GRACE) -> Watchlist:
    return Watchlist("e", grace)


def pairs(tidings: Tidings) -> list[tuple[str, str]]:
    return [one.pair for one in tidings.orphans]


def test_an_orphan_is_told_once_when_the_grace_is_over() -> None:
    """Fails when `_is_ripe` does not remember that it was told, or does not ask for the grace."""
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    assert pairs(watch.judge(sight(waiting=(work(),)), 102.0)) == []
    assert pairs(watch.judge(sight(waiting=(work(),)), 114.9)) == []
    told = watch.judge(sight(waiting=(work(oldest=15, count=3),)), 115.0)
    assert pairs(told) == [PAIR]
    assert told.orphans[0].waiting is not None
    assert told.orphans[0].waiting.count == 3
    for now in (117.0, 200.0, 100_000.0):
        assert watch.judge(sight(waiting=(work(),)), now) == Tidings()


def test_a_worker_that_starts_within_the_grace_is_in_time() -> None:
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    starting = seen_worker(engine={"state": "starting"})
    assert watch.judge(sight(starting, waiting=(work(),)), 110.0) == Tidings()
    assert watch.judge(sight(seen_worker(), waiting=(work(),)), 114.0) == Tidings()
    assert watch.judge(sight(seen_worker()), 130.0) == Tidings()
    assert watch.look_at is None


def test_served_again_is_told_once_and_arms_the_watch() -> None:
    """Fails without `vigil.told = False` in `_settle`."""
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    assert pairs(watch.judge(sight(), 115.0)) == [PAIR]
    assert watch.judge(sight(seen_worker(), waiting=(work(),)), 120.0).served == (PAIR,)
    assert watch.judge(sight(seen_worker(), waiting=(work(),)), 130.0) == Tidings()
    assert pairs(watch.judge(sight(DEAD, waiting=(work(),)), 140.0)) == []
    assert pairs(watch.judge(sight(DEAD, waiting=(work(),)), 155.0)) == [PAIR]


def test_a_killed_worker_is_told_without_another_enqueue() -> None:
    """Its row looks alive until its beats are old: what it has left is watched till then.

    Fails when `_settle` drops a pair of which work still waits.
    """
    watch = watchlist()
    watch.offer(PAIR, 0.0)
    now, told = 0.0, []
    while not told:
        assert watch.look_at is not None
        now = watch.look_at
        worker = seen_worker() if now < 60 else DEAD
        told = pairs(watch.judge(sight(worker, waiting=(work(),)), now))
    assert 75 <= now <= 90


def test_what_a_look_finds_is_watched_whoever_enqueued_it() -> None:
    """Schedules and other processes enqueue too. Fails without `_discover`."""
    watch = watchlist()
    watch.mind_schedules(100.0)
    assert watch.judge(sight(waiting=(work(),)), 101.0) == Tidings()
    assert pairs(watch.judge(sight(waiting=(work(),)), 116.0)) == [PAIR]


def test_paused_queues_have_no_orphans() -> None:
    """And resumed, they get the whole grace. Fails without the case of paused queues in `judge`."""
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    assert watch.judge(sight(paused=("q",)), 120.0) == Tidings()
    assert watch.judge(sight(waiting=(work(paused=True), work("i", paused=True)), paused=("q",)), 130.0) == Tidings()
    assert watch.judge(sight(waiting=(work(),)), 140.0) == Tidings()
    assert pairs(watch.judge(sight(waiting=(work(),)), 155.0)) == [PAIR]


def test_the_names_of_jobs_count_and_the_environment() -> None:
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    others = (seen_worker(jobs=frozenset({"i"})), seen_worker(environment="blue"), seen_worker(queues=("p",)))
    (orphan,) = watch.judge(sight(*others), 115.0).orphans
    assert orphan.near is not None
    assert orphan.near.lack.kind == "job"


def test_an_enqueue_of_what_is_served_is_quiet_for_a_while() -> None:
    """What the enqueue asks is one dict. Fails when `_settle` does not note it there."""
    watch = watchlist()
    watch.offer(PAIR, 100.0)
    assert watch.quiet_until[PAIR] == float("inf")
    watch.judge(sight(seen_worker()), 102.0)
    assert watch.quiet_until[PAIR] == 102.0 + QUIET_SECONDS
    watch.offer(("q", "i"), 120.0)
    watch.judge(sight(seen_worker(jobs=frozenset({"i"}))), 122.0)
    assert PAIR not in watch.quiet_until, "names are forgotten"


def test_it_looks_soon_while_something_is_unclear_and_seldom_after_that() -> None:
    watch = watchlist()
    assert watch.look_at is None
    watch.offer(PAIR, 100.0)
    assert watch.look_at == 100.0 + SOON_SECONDS
    watch.offer(("q", "i"), 101.0)
    assert watch.look_at == 100.0 + SOON_SECONDS, "another enqueue puts nothing off"
    watch.judge(sight(), 102.0)
    assert watch.look_at == 102.0 + SOON_SECONDS
    watch.judge(sight(), 120.0)
    assert watch.look_at == 120.0 + 5 * SOON_SECONDS
    watch.judge(sight(seen_worker(jobs=frozenset({"i", "j"}))), 130.0)
    assert watch.look_at is None


def test_names_made_up_without_end_are_not_all_kept() -> None:
    """Fails without the bound in `offer`."""
    watch = watchlist()
    for number in range(2 * MOST_PAIRS):
        watch.offer((f"q{number}", "j"), 100.0)
    assert len(watch.judge(sight(), 115.0).orphans) == MOST_PAIRS
    assert len(watch.quiet_until) == MOST_PAIRS


def test_schedules_that_nobody_fires_are_told_once_and_their_daemon_too() -> None:
    """Fails, one line each, when `_judge_schedules` forgets what was told, or takes a daemon for none."""
    watch = watchlist()
    watch.mind_schedules(100.0)
    late = Overdue(count=2, oldest_seconds=20)
    assert watch.judge(sight(overdue=late), 102.0) == Tidings()
    assert watch.judge(sight(overdue=late), 117.0).overdue == late
    assert watch.judge(sight(overdue=late), 130.0) == Tidings()
    assert watch.judge(sight(overdue=Overdue(count=2, daemons=1)), 140.0) == Tidings(fired_again=True)
    assert watch.judge(sight(overdue=Overdue(count=2, daemons=1)), 150.0) == Tidings()
    assert watch.judge(sight(overdue=late), 160.0) == Tidings()
    assert watch.judge(sight(overdue=late), 175.0).overdue == late


def test_a_daemon_that_fires_a_moment_late_is_no_news() -> None:
    watch = watchlist(0.0)
    watch.mind_schedules(100.0)
    assert watch.judge(sight(overdue=Overdue(count=1, oldest_seconds=1, daemons=1)), 102.0) == Tidings()
    assert watch.judge(sight(), 104.0) == Tidings()


# What is said


def told_of(*workers: SeenWorker, **here: str) -> str:
    watch = watchlist(0.0)
    watch.offer(PAIR, 100.0)
    tidings = watch.judge(sight(*workers, waiting=(work(oldest=17.4, count=3),)), 100.0)
    (text,) = orphan_texts(tidings.orphans, Here(environment="e", **here), 1000)
    return text


def test_the_text_names_what_waits_why_and_the_command() -> None:
    text = told_of(seen_worker(queues=("p",)), app="app:lodger")
    assert text == (
        "no live worker serves j in queue q (3 waiting, for 17 s): the separate worker on h (pid 1) serves only p. "
        "To do: LODGER_ENVIRONMENT=e LODGER_APP=app:lodger lodger worker --queues q; or let that one work on more: "
        "LODGER_QUEUES=p,q"
    )


def test_without_any_worker_both_ways_to_have_one_are_named() -> None:
    text = told_of(app="app:lodger")
    assert "no worker lives, and none has of late" in text
    assert "LODGER_APP=app:lodger lodger worker;" in text
    assert "EMBEDDED_JOB_WORKER=auto" in text


def test_pairs_that_lack_the_same_share_a_text() -> None:
    """A web service without a worker is one warning, not one for each job. Fails without the grouping."""
    watch = watchlist(0.0)
    for job in ("j", "i"):
        watch.offer(("q", job), 100.0)
    watch.offer(("p", "j"), 100.0)
    only = seen_worker(queues=("q",), jobs=frozenset())
    texts = orphan_texts(watch.judge(sight(only), 100.0).orphans, Here(), 1000)
    assert len(texts) == 2
    assert sorted(" and does not know" in text or "does not know the job j" in text for text in texts) == [False, True]


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (None, "nothing of it is due yet"),
        (work(oldest=3.6, count=2), "2 waiting, for 4 s"),
        (work(oldest=3.6, count=1000), "1000 or more waiting, for 4 s"),
    ],
)
def test_how_much_waits(waiting: Waiting | None, text: str) -> None:
    assert waits_text(waiting, 1000) == text


def test_queued_and_overdue_runs_of_a_pair_are_told_together() -> None:
    watch = watchlist(0.0)
    watch.offer(PAIR, 100.0)
    (one,) = watch.judge(sight(waiting=(work(oldest=3, count=2), work(oldest=9))), 100.0).orphans
    assert one.waiting is not None
    assert (one.waiting.count, one.waiting.oldest_seconds) == (3, 9)


def test_the_other_texts() -> None:
    assert served_text([PAIR, ("p", "i")]) == "a live worker serves j in queue q, i in queue p again"
    text = overdue_text(Overdue(count=2, oldest_seconds=61), Here(app="app:lodger"))
    assert text.startswith("2 schedules are due, the first for 61 s, and no live schedule daemon fires them.")
    assert text.endswith("LODGER_APP=app:lodger lodger scheduler")


def test_a_stalled_engine_is_the_nearest_lack() -> None:
    stalled = seen_worker("s", engines=(EngineState(state="stalled"),))
    assert "has an engine that does not tick" in told_of(seen_worker(queues=("p",)), stalled, DEAD)

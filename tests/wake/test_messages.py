from __future__ import annotations

import pytest

from lodger.store.sql import Tables
from lodger.wake.messages import EVERYTHING, channel, decode, encode, merged, notify_queues, payloads


@pytest.mark.parametrize("queues", [["default"], ["media", "mail"], ["größe"]])
def test_what_is_encoded_is_decoded(queues: list[str]) -> None:
    assert decode(encode(queues)) == frozenset(queues)


def test_more_queues_than_are_worth_naming_mean_all() -> None:
    many = [f"tenant-{number}" for number in range(51)]
    assert decode(encode(many)) == EVERYTHING
    assert payloads(many) == [""]


@pytest.mark.parametrize("message", [b"", b"\xff\xfe"])
def test_what_names_no_queue_means_all(message: bytes) -> None:
    assert decode(message) == EVERYTHING


def test_everything_wins_when_messages_are_merged() -> None:
    assert merged([frozenset({"a"}), frozenset({"b"})]) == {"a", "b"}
    assert merged([frozenset({"a"}), EVERYTHING]) == EVERYTHING


def test_apps_that_share_a_database_have_channels_of_their_own() -> None:
    assert channel(Tables()) == "lodger_wake"
    assert channel(Tables("shop_")) == "shop_wake"
    assert channel(Tables(schema="jobs")) == "jobs.lodger_wake"
    long = [channel(Tables("p" * 31, schema=letter * 31), "_0123456789abcdef") for letter in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) < 64 for name in long)


def test_the_statement_names_the_channel() -> None:
    sql, _ = notify_queues.render("postgresql", Tables("shop_"), "numeric")
    assert sql == "SELECT pg_notify('shop_wake', queue) FROM unnest(CAST($1 AS text[])) AS queue"

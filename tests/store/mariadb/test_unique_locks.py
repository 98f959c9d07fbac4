"""What InnoDB locks for a unique key in an app's transaction must not hold up those who have nothing to do with it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import create_engine

from lodger.model.unique import Unique
from lodger.store import inserts
from lodger.store.doors import open_door
from tests.support.store import Store, new_run

KEY = Unique(key="k")


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "READ COMMITTED"])
@pytest.mark.parametrize("held", [False, True], ids=["key taken", "key met"])
def test_an_open_transaction_with_a_unique_key_holds_up_no_plain_enqueue(
    store: Store, isolation: str, held: bool
) -> None:
    """It may stay open for minutes, and in an index the NULLs of plain runs have neighbours.

    Key taken: fails when `unique_holder` locks. Key met: fails with an ascending index, where the NULLs come just
    before the only key, and when `is_there` locks, since new ids all go into the gap where it looked.
    """
    if held:
        store.insert(new_run(unique=KEY))
    engine = create_engine(store.database.url.url, isolation_level=isolation)
    with engine.connect() as tx:
        door: Any = open_door(tx, store.database)
        (answer,) = door.run(inserts.insert(store.dialect, [new_run(unique=KEY)], in_app=True))
        assert answer.created is not held
        assert store.enqueue()
        assert store.enqueue(delay_seconds=60)
        tx.rollback()
    engine.dispose()
    assert store.count() == 2 + held

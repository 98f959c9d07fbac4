"""Doors: Lodger's statements inside the app's own transaction, on whatever connection the app has.

    door = open_door(tx, database)
    inserted = door.run(inserts.insert(door.dialect, runs))          # an AsyncDoor is awaited

What is run takes part in the app's transaction: rolled back with it, committed with it. A connection in
autocommit mode with no transaction open is allowed; each statement then stands alone, and several (a unique
key that is replaced, many runs with different options) are not undone together.

A transaction on another database than Lodger's is refused: its runs would never be seen by a worker.
"""

from lodger.store.doors.base import AsyncDoor, Door, SyncDoor
from lodger.store.doors.recognise import open_door

__all__ = ["AsyncDoor", "Door", "SyncDoor", "open_door"]

"""Django's connection (``django.db.connection``, ``connections["alias"]``), whatever driver is behind it.

Through Django's own cursor: its checks, its query log and its execute wrappers see the statements. ``%s`` is
what all its backends take; the SQLite one turns it into ``?``.
"""

from __future__ import annotations

from typing import Any

from lodger.errors import InvalidInput
from lodger.store.database import Database
from lodger.store.doors.base import Bound, SyncDoor
from lodger.store.doors.drivers import DIALECTS, place_of
from lodger.store.doors.places import Place
from lodger.store.sql import DialectName


class DjangoDoor(SyncDoor):
    """Django's DatabaseWrapper. Inside ``atomic()`` its end commits; outside, each statement stands alone."""

    def __init__(self, tx: Any, database: Database) -> None:
        """Connect if Django has not yet; refuse engines that Lodger does not know."""
        vendor = getattr(tx, "vendor", "cache")  # django.db.connection is a proxy of the same class as the cache's
        dialect = DIALECTS.get(vendor)
        if dialect is None:
            raise InvalidInput("tx", f"Django's {vendor} connection", "PostgreSQL, MySQL, MariaDB or SQLite")
        tx.ensure_connection()
        super().__init__(database, dialect, "format", _place(tx, dialect))
        self._tx = tx

    @property
    def held_by_block(self) -> bool:
        """Whether the connection is inside atomic()."""
        return bool(self._tx.in_atomic_block)

    def _rows(self, sql: str, bound: Bound) -> list[Any]:
        with self._tx.cursor() as cursor:
            cursor.execute(sql, bound or None)
            return list(cursor.fetchall())

    def _write(self, sql: str, bound: Bound) -> int:
        with self._tx.cursor() as cursor:
            cursor.execute(sql, bound or None)
            return int(cursor.rowcount)

    def commit(self) -> None:
        """Commit, unless atomic() will."""
        if not self.held_by_block:
            self._tx.commit()

    def rollback(self) -> None:
        """Roll back; inside atomic(), make its end do so."""
        if self.held_by_block:
            self._tx.set_rollback(True)
        else:
            self._tx.rollback()


def _place(tx: Any, dialect: DialectName) -> Place | None:
    found = place_of(tx.connection)
    if found is None and dialect == "mysql":  # mysqlclient does not say
        told = tx.settings_dict
        found = Place(dialect, str(told["NAME"]), told["HOST"] or None, int(told["PORT"] or 0) or None)
    return found

"""Connections: a small pool of the process's own, every connection in autocommit mode.

Single statements run as they are; ``transaction()`` brackets several. SQLAlchemy gives the pool, the
drivers' dialects and the judgement of what is a lost connection; statements go straight to the driver's
cursor. On SQLite every write of Lodger's queues on a side-file lock first: SQLite's own wait is unfair
and would starve enqueuers for seconds behind a busy worker.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool, PoolProxiedConnection

from lodger.errors import ConfigurationError
from lodger.store.faults import is_table_missing, is_transient, no_tables
from lodger.store.filelock import FileLock
from lodger.store.forks import Handle, forks
from lodger.store.sql import DialectName, Params, ParamStyle, Statement, Tables
from lodger.store.url import DatabaseUrl, parse

T = TypeVar("T")

SQLITE_MINIMUM: Final = (3, 35, 0)
WAIT_SECONDS: Final = 5
"""How long a statement of Lodger's waits for somebody's lock, on every engine; what waited so long is tried again."""
IDLE_SECONDS: Final = 60
"""How long a transaction of Lodger's may stand still: then its process is frozen, and the server ends it. Not MySQL."""
CONNECT_SECONDS: Final = 10
KEEPALIVE: Final = {"KEEPIDLE": 30, "KEEPINTVL": 10, "KEEPCNT": 3, "USER_TIMEOUT": 45_000}
"""TCP's own watch over an idle or unanswered connection: seconds, seconds, probes, milliseconds."""
BEGIN: Final[dict[DialectName, str]] = {
    # one round trip, and no trace in a pooler
    "postgresql": (
        f"BEGIN; SET LOCAL lock_timeout = '{WAIT_SECONDS}s'; "
        f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
    ),
    "mysql": "START TRANSACTION",
    "sqlite": "BEGIN IMMEDIATE",
}


class Conn:
    """One connection, used by one thread at a time."""

    def __init__(self, raw: Any, dialect: DialectName, tables: Tables, lock: FileLock | None) -> None:
        """Wrap the driver's connection ``raw``; ``lock`` is SQLite's writers' queue."""
        self.raw = raw
        self.dialect = dialect
        self.tables = tables
        self._style: ParamStyle = "named" if dialect == "sqlite" else "pyformat"
        self._cursor = raw.cursor()
        self._lock = lock
        self._in_transaction = False

    def rows(self, statement: Statement, **params: Any) -> list[Any]:
        """Run a statement that answers rows; return them as tuples."""
        self._cursor.execute(statement.render(self.dialect, self.tables, self._style)[0], params)
        return list(self._cursor.fetchall())

    def dicts(self, statement: Statement, **params: Any) -> list[dict[str, Any]]:
        """Run a statement that answers rows; return them by column name."""
        rows = self.rows(statement, **params)
        names = [column[0] for column in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def value(self, statement: Statement, **params: Any) -> Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(statement, **params)
        return rows[0][0] if rows else None

    def write(self, statement: Statement, **params: Any) -> int:
        """Run a statement that writes; return how many rows it matched."""
        with self._writing():
            self._cursor.execute(statement.render(self.dialect, self.tables, self._style)[0], params)
            return int(self._cursor.rowcount)

    def write_rows(self, statement: Statement, **params: Any) -> list[Any]:
        """Run a statement that writes and answers rows (RETURNING)."""
        with self._writing():
            return self.rows(statement, **params)

    def write_many(self, statement: Statement, batch: Sequence[Params]) -> int:
        """Run a statement once per row of ``batch``; return how many rows matched in all."""
        with self._writing():
            self._cursor.executemany(statement.render(self.dialect, self.tables, self._style)[0], batch)
            return int(self._cursor.rowcount)

    def run(self, sql: str, params: Any = ()) -> None:
        """Run SQL text in the driver's own parameter style (migrations, bulk inserts)."""
        with self._writing():
            self._cursor.execute(sql, params) if params else self._cursor.execute(sql)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside together, or nothing of it."""
        with self._turn():
            self._cursor.execute(BEGIN[self.dialect])
            self._in_transaction = True
            try:
                yield
                self._cursor.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._in_transaction = False

    def _roll_back(self) -> None:
        with suppress(Exception):  # the connection is gone, and with it the transaction
            self._cursor.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with _NO_LOCK if self._in_transaction else self._turn():
            yield

    def _turn(self) -> AbstractContextManager[None]:
        return _NO_LOCK if self._lock is None else self._lock.held(WAIT_SECONDS)


_NO_LOCK: Final[AbstractContextManager[None]] = nullcontext()
"""Stands where an engine needs no queue for its writers."""


class Database:
    """The database of one app, as one process sees it. Opens nothing until it is first used."""

    def __init__(self, url: str | DatabaseUrl, *, tables: Tables | None = None, pool_size: int = 5) -> None:
        """Parse ``url``; keep at most ``pool_size`` connections (more are refused, they wait)."""
        self.url = url if isinstance(url, DatabaseUrl) else parse(url)
        self.dialect = self.url.dialect
        self.tables = tables or Tables()
        self._pool_size = pool_size
        self._engine: Engine | None = None
        self._guard = threading.Lock()
        forks.add(self)

    @property
    def engine(self) -> Engine:
        """Return SQLAlchemy's engine, made on first use."""
        with self._guard:
            if self._engine is None:
                self._engine = _make_engine(self.url, self._pool_size)
            return self._engine

    @contextmanager
    def connect(self) -> Iterator[Conn]:
        """Lend a connection; one that broke is thrown away and not lent again."""
        at_work: AbstractContextManager[list[Handle]] = forks.at_work() if self.is_file else nullcontext([])
        with at_work as handles, self._lend(handles) as raw:
            yield self._wrap(raw)

    @contextmanager
    def _lend(self, handles: list[Handle]) -> Iterator[PoolProxiedConnection]:
        engine = self.engine
        pool = engine.pool
        raw = engine.raw_connection()
        handles.append(raw)
        try:
            yield raw
        except BaseException as error:
            if self.is_disconnect(error, raw):
                self._renew(engine, pool)
            elif not isinstance(error, Exception):
                raw.invalidate()
            if is_table_missing(self.dialect, error):
                raise no_tables(self.url.safe) from error
            raise
        finally:
            if engine.pool is not pool and raw.is_valid:  # closed meanwhile: nobody would close what comes back to it
                raw.invalidate()
            raw.close()
            handles.remove(raw)

    def _renew(self, engine: Engine, pool: Pool) -> None:
        """Replace a pool of which one connection was lost: the others are as old, and each would cost a try."""
        with self._guard:
            if engine.pool is pool:
                engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Conn]:
        """Lend a connection inside a transaction."""
        with self.connect() as conn, conn.transaction():
            yield conn

    def transact(self, work: Callable[[Conn], T], tries: int = 6) -> T:
        """Return ``work(conn)`` of one committed transaction, repeated whole on passing faults."""
        for turn in range(1, tries + 1):
            try:
                with self.begin() as conn:
                    return work(conn)
            except Exception as error:
                if turn == tries or not is_transient(self.dialect, error):
                    raise
                time.sleep(random.uniform(0.3, 1.0) * min(0.01 * 3**turn, 2.0))
        raise AssertionError

    def is_disconnect(self, error: BaseException, raw: PoolProxiedConnection | None = None) -> bool:
        """Whether ``error`` says that the connection is gone."""
        dialect = self.engine.dialect
        if not isinstance(error, dialect.loaded_dbapi.Error):
            return False
        connection: Any = raw.dbapi_connection if raw is not None else None
        return connection is None or dialect.is_disconnect(error, connection, None)

    def is_passing(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed later."""
        return is_transient(self.dialect, error)

    def dispose(self) -> None:
        """Close all pooled connections; the next use opens new ones."""
        with self._guard:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this host's, which SQLite locks for the whole process."""
        return self.dialect == "sqlite"

    def close_idle(self) -> None:
        """Close the connections that nobody uses just now."""
        with self._guard:
            engine = self._engine
        if engine is not None:
            engine.dispose()

    def forget(self) -> None:
        """Begin anew in the child of a fork; a server's connections are the parent's, and left as they are."""
        self._guard = threading.Lock()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=self.is_file)

    def _wrap(self, raw: PoolProxiedConnection) -> Conn:
        lock = FileLock.of(f"{self.url.path}-lodger-lock") if self.dialect == "sqlite" else None
        return Conn(raw, self.dialect, self.tables, lock)


def _make_engine(url: DatabaseUrl, pool_size: int) -> Engine:
    engine = create_engine(
        url.url,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        connect_args=_connect_args(url.dialect),
        **({"use_native_hstore": False} if url.dialect == "postgresql" else {}),
    )
    event.listen(
        engine,
        "connect",
        {"postgresql": _set_up_postgresql, "mysql": _set_up_mysql, "sqlite": _set_up_sqlite}[url.dialect],
    )
    return engine


def _connect_args(dialect: DialectName) -> dict[str, Any]:
    match dialect:
        case "postgresql":
            # Nothing is prepared on the server: what was planned while a table was small is wrong when it
            # has grown, and poolers in transaction mode lose it.
            return {
                "autocommit": True,
                "prepare_threshold": None,
                "connect_timeout": CONNECT_SECONDS,
                "keepalives_idle": KEEPALIVE["KEEPIDLE"],
                "keepalives_interval": KEEPALIVE["KEEPINTVL"],
                "keepalives_count": KEEPALIVE["KEEPCNT"],
                "tcp_user_timeout": KEEPALIVE["USER_TIMEOUT"],
            }
        case "mysql":
            return {"autocommit": True, "connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4"}
        case "sqlite":
            return {"isolation_level": None, "timeout": WAIT_SECONDS, "check_same_thread": False}


def _set_up_postgresql(raw: Any, _record: Any) -> None:
    from psycopg.types.string import TextLoader

    raw.autocommit = True
    raw.adapters.register_loader("uuid", TextLoader)  # uuid.UUID objects cost half of the client's time


def _set_up_mysql(raw: Any, _record: Any) -> None:
    _watch_socket(raw)
    cursor = raw.cursor()
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.execute("SET SESSION time_zone = '+00:00', sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
    idle = f"/*M!100301 , idle_transaction_timeout = {IDLE_SECONDS} */"  # MySQL has no such thing and skips it
    cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {WAIT_SECONDS} {idle}")
    cursor.close()


def _watch_socket(raw: Any) -> None:
    """Have a server found dead that has vanished without a word, as libpq does; PyMySQL has no option for that.

    Without it a thread that waits for an answer would wait for hours. mysqlclient's sockets are out of reach.
    """
    sock = getattr(raw, "_sock", None)
    for name, value in KEEPALIVE.items():
        option = getattr(socket, f"TCP_{name}", None)
        if option is not None and sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _set_up_sqlite(raw: Any, _record: Any) -> None:
    import sqlite3

    if sqlite3.sqlite_version_info < SQLITE_MINIMUM:
        raise ConfigurationError("SQLite", sqlite3.sqlite_version, "3.35 or newer")
    cursor = raw.cursor()
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Turn a new file to WAL mode; SQLite's own wait for a lock does not cover processes that do so at once."""
    import sqlite3

    give_up = time.monotonic() + WAIT_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.001, 0.01))

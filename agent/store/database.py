"""One database for all that is kept in SQL: SQLite in WAL where nothing else is given, Postgres by its URL.

A write once begun runs to its end, even if its caller is cancelled. SQLite's writers stand in line on the event
loop and not in SQLite; other processes are waited for in SQLite's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Select, Table, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Row, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agent.errors import ProviderError

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write."""
CONNECT_SECS = 3.0
COMMAND_SECS = 5.0
"""A Postgres that does not answer within these is gone."""

T = TypeVar("T")
log = structlog.get_logger()

_UPSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Database:
    """An engine with the manners that its writers share. Open one per process and URL."""

    def __init__(self, url: str) -> None:
        """`url` as `database_url` takes it, ValueError for another; connects at the first use."""
        self.engine = _engine(database_url(url))
        self.dialect = self.engine.dialect.name
        self._write_turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if self.dialect == "sqlite" else nullcontext()
        )
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def shared(self) -> bool:
        """Whether other machines may use it too."""
        return self.dialect != "sqlite"

    async def set_up(self, make_tables: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Make what tables are missing. SQLite does not wait where several turn a new file to WAL at once."""

        async def one_at_a_time(connection: AsyncConnection) -> None:
            await self.lock(connection, "schema")
            await make_tables(connection)

        for wait_secs in (0.05, 0.1, 0.2, 0.4, 0.8, None):
            try:
                return await self.write(one_at_a_time)
            except ProviderError as fault:
                if wait_secs is None or "database is locked" not in str(fault.__cause__):
                    raise
                await asyncio.sleep(wait_secs)

    async def select(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        """The rows; ProviderError where the database does not deliver, as everywhere here."""
        with _delivering():
            async with self.engine.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
                return rows

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """One transaction, to its end even if the caller is cancelled."""
        return await self.to_the_end(self.transaction(work))

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """One transaction; ends with its caller."""
        async with self._write_turn:
            with _delivering():
                async with self.engine.execution_options(begin="IMMEDIATE").begin() as connection:
                    return await work(connection)

    async def to_the_end(self, writing: Coroutine[Any, Any, T]) -> T:
        """The result; a caller that is cancelled does not wait for it, but it comes about."""
        task = asyncio.create_task(writing)
        self._running.add(task)
        task.add_done_callback(self._ran)
        return await asyncio.shield(task)

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled has not fetched it

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Until the transaction ends, nobody else writes to what has this name; in SQLite, nobody at all."""
        if self.dialect == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    async def upsert(self, connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
        """Insert, or replace what has the same primary key."""
        if rows:
            await connection.execute(_upsert_into(table, self.dialect), rows)

    async def empty_write_ahead_log(self) -> None:
        """What was overwritten in SQLite's file still stands in its log until that is truncated."""
        if self.dialect != "sqlite":
            return
        async with self._write_turn:
            with _delivering():
                async with self.engine.connect() as connection:
                    await connection.execution_options(begin=None)
                    done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                    if done.scalar_one():
                        log.warning("forgotten data stays in the log until its next checkpoint")

    async def close(self) -> None:
        """Writes that have begun are waited for."""
        if self._running:
            await asyncio.wait(self._running)
        await self.engine.dispose()


def database_url(url: str) -> URL:
    """The URL with the driver that is used for it; ValueError for a database of another kind."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("DATABASE_URL is no URL such as postgresql://user:password@host/name") from None
    kind = parsed.drivername.partition("+")[0]
    if kind in ("postgres", "postgresql"):
        query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
        return parsed.set(drivername="postgresql+asyncpg", query=query)
    if kind != "sqlite":
        raise ValueError(f"DATABASE_URL is for {kind}; it must begin with postgresql:// or sqlite:///")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("DATABASE_URL names no file; it is sqlite:///relative.db or sqlite:////absolute.db")
    return parsed.set(drivername="sqlite+aiosqlite")


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "postgresql":
        limits = {"timeout": CONNECT_SECS, "command_timeout": COMMAND_SECS}
        return create_async_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=limits)
    assert url.database
    with _delivering():
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, hide_parameters=True, connect_args={"isolation_level": None})
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A write takes SQLite's lock at its begin, since a read that turns into a write may fail at once."""
    begin = connection.get_execution_options().get("begin", "DEFERRED")
    if begin:
        connection.exec_driver_sql(f"BEGIN {begin}")


@contextmanager
def _delivering() -> Iterator[None]:
    """A database's failure as a ProviderError; a broken constraint passes, it is an answer."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as fault:
        cause = fault.orig if isinstance(fault, DBAPIError) else fault
        raise ProviderError(f"the journal's database did not deliver: {type(cause).__name__}") from fault


@cache
def _upsert_into(table: Table, dialect: str) -> Any:
    """The statement is made once: each one made anew leaves a thousand objects to the garbage collector."""
    statement = _UPSERTS[dialect](table)
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return statement.on_conflict_do_update(table.primary_key, set_=values)

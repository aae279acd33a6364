"""The journal in SQL: SQLite in WAL where nothing else is given, Postgres by its URL. One code for both.

The views (turn log, hand-offs, sessions) are tables that change in the transaction of the append. A write
once begun runs to its end, even if its caller is cancelled. SQLite's writers stand in line on the event
loop and not in SQLite; other processes are waited for in SQLite's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Row, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agent.errors import ProviderError
from agent.events import Event, dump, load
from agent.store.journal import Conflict, Lease, Taken, Watchers, hash_token, new_token
from agent.store.vault import SealedValue
from agent.store.views import CLOSED, HandOffRow, SessionRow, Touched, TurnRow, Views, touched

SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write."""
PAGE_EVENTS = 250
"""So many events are read at once, which takes about 3 ms of the event loop."""

T = TypeVar("T")
log = structlog.get_logger()

_TABLES = MetaData()

_SCHEMA = Table("schema_version", _TABLES, Column("version", Integer, primary_key=True, autoincrement=False))

_EVENTS = Table(
    "events",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("turn_id", String),
    Column("session_id", String),
    Column("body", Text, nullable=False),
)

_LEASES = Table(
    "leases",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("what", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("grant_id", String, nullable=False),
    Column("expires_at", Double, nullable=False),
)

_TOKENS = Table(
    "customer_tokens",
    _TABLES,
    Column("sha256", String, primary_key=True),
    Column("conversation_id", String, nullable=False, index=True),
)

_VAULT_KEYS = Table(
    "vault_keys",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

_VAULT_VALUES = Table(
    "vault_values",
    _TABLES,
    Column("conversation_id", ForeignKey("vault_keys.conversation_id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("conversation_id", "kind", "fingerprint"),
)

_TURNS = Table(
    "turn_log",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("turn_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("session_id", String),
    Column("channel", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("spoken", Boolean, nullable=False),
    Column("user_text", Text, nullable=False),
    Column("intent", String),
    Column("confidence", Double, nullable=False),
    Column("language", String, nullable=False),
    Column("frustration", Double, nullable=False),
    Column("decision", String, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("tools", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("agent_text", Text, nullable=False),
    Column("heard_text", Text),
    Column("level", String, nullable=False),
    Column("stages", JSON, nullable=False),
    Column("total_ms", Double),
    Index("turn_log_by_time", "started_at"),
)

_HAND_OFFS = Table(
    "hand_offs",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("hand_off_id", String, primary_key=True),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("brief", Text, nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("channel", String, nullable=False),
)

_SESSIONS = Table(
    "sessions",
    _TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("session_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("channel", String, nullable=False),
    Column("joined_at", Double, nullable=False),
    Index("sessions_by_id", "session_id"),
)

_UPSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlJournal:
    """A Journal and VaultHome in a database. Made by `open`."""

    def __init__(self, engine: AsyncEngine, *, clock: Callable[[], float], poll_secs: float) -> None:
        self._engine = engine
        self._clock = clock
        self._poll_secs = poll_secs
        self._dialect = engine.dialect.name
        self._watchers = Watchers()
        self._write_turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if self._dialect == "sqlite" else nullcontext()
        )
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, url: str, *, clock: Callable[[], float], poll_secs: float = 0.5) -> SqlJournal:
        """Connect and make what tables are missing.

        `url` is `sqlite:///PATH` (four slashes for an absolute path), `postgresql://...` or `postgres://...`.
        `clock` gives seconds since the epoch. Another process's writes are looked for every `poll_secs`.
        Raises ValueError for a URL of another kind, ProviderError where the database cannot be used.
        """
        journal = cls(_engine(database_url(url)), clock=clock, poll_secs=poll_secs)
        try:
            await journal._set_up()
        except BaseException:
            await journal.close()
            raise
        return journal

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """See Journal."""

        async def work(connection: AsyncConnection) -> int:
            await self._lock(connection, conversation_id)
            version = await connection.scalar(_version_of(conversation_id)) or 0
            if version != expected_version:
                raise Conflict(version)
            if events:
                await connection.execute(insert(_EVENTS), _event_rows(conversation_id, version, events))
                await self._update_views(connection, conversation_id, version, events)
            return version + len(events)

        version = await self._write(work)
        self._watchers.wake(conversation_id)
        return version

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """See Journal."""
        events: list[Event] = []
        while True:
            rows = await self._select(_page_from(conversation_id, after + 1))
            events += [load(row.body) for row in rows]
            if len(rows) < PAGE_EVENTS:
                return events
            after = rows[-1].version

    async def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        """See Journal."""
        with self._watchers.watching(conversation_id) as changed:
            while not self._watchers.closed:
                changed.clear()
                rows = await self._select(_page_from(conversation_id, after))
                if after and (not rows or rows[0].version != after):
                    return
                for row in rows:
                    if row.version > after:
                        yield load(row.body)
                        after = row.version
                if len(rows) == PAGE_EVENTS:
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_secs):
                        await changed.wait()

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """See Journal."""
        lease = Lease(conversation_id, what, owner, ttl_secs, new_token(), self)

        async def work(connection: AsyncConnection) -> Lease | Taken:
            await self._lock(connection, conversation_id)
            found = await connection.execute(
                select(_LEASES).where(_LEASES.c.conversation_id == conversation_id, _LEASES.c.what == what)
            )
            held, now = found.first(), self._clock()
            if held and held.expires_at > now:
                return Taken(held.owner, held.expires_at)
            row = {
                "conversation_id": conversation_id,
                "what": what,
                "owner": owner,
                "grant_id": lease.grant,
                "expires_at": now + ttl_secs,
            }
            await self._upsert(connection, _LEASES, [row])
            return lease

        return await self._write(work)

    async def renew_lease(self, lease: Lease) -> bool:
        """See LeaseHome."""
        statement = update(_LEASES).where(*_same_grant(lease))

        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(statement.values(expires_at=self._clock() + lease.ttl_secs))
            return done.rowcount == 1

        return await self._write(work)

    async def release_lease(self, lease: Lease) -> None:
        """See LeaseHome."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(_LEASES).where(*_same_grant(lease)))

        await self._write(work)

    async def forget(self, conversation_id: str) -> None:
        """See Journal. In SQLite nothing is left in its files; Postgres frees the space by its own vacuum."""
        await self._to_the_end(self._forget(conversation_id))
        self._watchers.wake(conversation_id)

    async def issue_token(self, conversation_id: str) -> str:
        """See Journal."""
        token = new_token()

        async def work(connection: AsyncConnection) -> None:
            row = {"sha256": hash_token(token), "conversation_id": conversation_id}
            await connection.execute(insert(_TOKENS), row)

        await self._write(work)
        return token

    async def find_token(self, token: str) -> str | None:
        """See Journal."""
        known = select(_TOKENS.c.conversation_id).where(_TOKENS.c.sha256 == hash_token(token))
        rows = await self._select(known)
        return rows[0].conversation_id if rows else None

    async def find_session(self, session_id: str) -> str | None:
        """See Journal."""
        rows = await self._select(
            select(_SESSIONS.c.conversation_id)
            .where(_SESSIONS.c.session_id == session_id)
            .order_by(_SESSIONS.c.joined_at.desc(), _SESSIONS.c.conversation_id.desc())
            .limit(1)
        )
        return rows[0].conversation_id if rows else None

    async def turn_log(self, conversation_id: str | None = None, limit: int = 100) -> list[TurnRow]:
        """See Journal."""
        newest = select(_TURNS).order_by(
            _TURNS.c.started_at.desc(), _TURNS.c.conversation_id.desc(), _TURNS.c.version.desc()
        )
        if conversation_id is not None:
            newest = newest.where(_TURNS.c.conversation_id == conversation_id)
        return [_turn_row(row) for row in reversed(await self._select(newest.limit(limit)))]

    async def open_hand_offs(self) -> list[HandOffRow]:
        """See Journal."""
        rows = await self._select(
            select(_HAND_OFFS)
            .where(_HAND_OFFS.c.state.not_in(CLOSED))
            .order_by(_HAND_OFFS.c.requested_at, _HAND_OFFS.c.conversation_id, _HAND_OFFS.c.hand_off_id)
        )
        return [HandOffRow(**row._mapping) for row in rows]

    async def close(self) -> None:
        """See Journal; writes that have begun are waited for."""
        self._watchers.close()
        if self._running:
            await asyncio.wait(self._running)
        await self._engine.dispose()

    async def vault_key(self, conversation_id: str) -> bytes | None:
        """See VaultHome."""
        rows = await self._select(_key_of(conversation_id))
        return rows[0].wrapped if rows else None

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        """See VaultHome."""

        async def work(connection: AsyncConnection) -> bytes:
            await self._lock(connection, conversation_id)
            kept = await connection.scalar(_key_of(conversation_id))
            if kept is None:
                row = {"conversation_id": conversation_id, "wrapped": wrapped}
                await connection.execute(insert(_VAULT_KEYS), row)
            return kept or wrapped

        return await self._write(work)

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        """See VaultHome."""
        columns = [_VAULT_VALUES.c[each.name] for each in fields(SealedValue)]
        rows = await self._select(select(*columns).where(_VAULT_VALUES.c.conversation_id == conversation_id))
        return [SealedValue(**row._mapping) for row in rows]

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        """See VaultHome."""

        async def work(connection: AsyncConnection) -> Literal["added", "forgotten"]:
            await self._lock(connection, conversation_id)
            if await connection.scalar(_key_of(conversation_id)) != wrapped:
                return "forgotten"
            rows = [{"conversation_id": conversation_id, **vars(value)} for value in values]
            await connection.execute(insert(_VAULT_VALUES), rows)
            return "added"

        try:
            return await self._write(work)
        except IntegrityError:
            return "taken"

    async def _set_up(self) -> None:
        """Make what tables are missing. SQLite does not wait where several turn a new file to WAL at once."""
        for wait_secs in (0.05, 0.1, 0.2, 0.4, 0.8, None):
            try:
                return await self._write(self._make_tables)
            except ProviderError as fault:
                if wait_secs is None or "database is locked" not in str(fault.__cause__):
                    raise
                await asyncio.sleep(wait_secs)

    async def _make_tables(self, connection: AsyncConnection) -> None:
        await self._lock(connection, "schema")
        await connection.run_sync(_TABLES.create_all)
        version = await connection.scalar(select(_SCHEMA.c.version))
        if version is None:
            await connection.execute(insert(_SCHEMA), {"version": SCHEMA_VERSION})
        elif version != SCHEMA_VERSION:
            raise ProviderError(
                f"the journal's database has schema {version}, this version uses {SCHEMA_VERSION}",
                retryable=False,
            )

    async def _forget(self, conversation_id: str) -> None:
        async def destroy_key(connection: AsyncConnection) -> None:
            await self._lock(connection, conversation_id)
            of = _VAULT_KEYS.c.conversation_id == conversation_id
            await connection.execute(delete(_VAULT_KEYS).where(of))

        async def destroy_rest(connection: AsyncConnection) -> None:
            await self._lock(connection, conversation_id)
            for table in (_EVENTS, _TURNS, _HAND_OFFS, _SESSIONS, _TOKENS, _LEASES):
                await connection.execute(delete(table).where(table.c.conversation_id == conversation_id))

        await self._transaction(destroy_key)
        await self._transaction(destroy_rest)
        if self._dialect == "sqlite":
            await self._empty_write_ahead_log()

    async def _empty_write_ahead_log(self) -> None:
        """What was overwritten in the database still stands in the log until it is truncated."""
        async with self._write_turn:
            with _delivering():
                async with self._engine.connect() as connection:
                    await connection.execution_options(begin=None)
                    done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                    if done.scalar_one():
                        log.warning("forgotten data stays in the log until its next checkpoint")

    async def _update_views(
        self, connection: AsyncConnection, conversation_id: str, version: int, events: Sequence[Event]
    ) -> None:
        views = await _load_views(connection, conversation_id, touched(events))
        for each_version, each in enumerate(events, version + 1):
            views.apply(each_version, each)
        await self._upsert(connection, _SESSIONS, [vars(views.sessions[i]) for i in views.changed_sessions])
        await self._upsert(connection, _TURNS, [vars(views.turns[i]) for i in views.changed_turns])
        hand_offs = [vars(views.hand_offs[i]) for i in views.changed_hand_offs]
        await self._upsert(connection, _HAND_OFFS, hand_offs)

    async def _upsert(self, connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            await connection.execute(_upsert_into(table, self._dialect), rows)

    async def _lock(self, connection: AsyncConnection, name: str) -> None:
        """Until the transaction ends, nobody else writes to the conversation; in SQLite, nobody at all."""
        if self._dialect == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    async def _select(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with _delivering():
            async with self._engine.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
                return rows

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await self._to_the_end(self._transaction(work))

    async def _transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._write_turn:
            with _delivering():
                async with self._engine.execution_options(begin="IMMEDIATE").begin() as connection:
                    return await work(connection)

    async def _to_the_end(self, writing: Coroutine[Any, Any, T]) -> T:
        """The result; a caller that is cancelled does not wait for it, but it comes about."""
        task = asyncio.create_task(writing)
        self._running.add(task)
        task.add_done_callback(self._ran)
        return await asyncio.shield(task)

    def _ran(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled has not fetched it


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
        return create_async_engine(url, hide_parameters=True, pool_pre_ping=True)
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


def _version_of(conversation_id: str) -> Select[int | None]:
    return select(func.max(_EVENTS.c.version)).where(_EVENTS.c.conversation_id == conversation_id)


def _page_from(conversation_id: str, version: int) -> Select[Any]:
    return (
        select(_EVENTS.c.version, _EVENTS.c.body)
        .where(_EVENTS.c.conversation_id == conversation_id, _EVENTS.c.version >= version)
        .order_by(_EVENTS.c.version)
        .limit(PAGE_EVENTS)
    )


def _key_of(conversation_id: str) -> Select[bytes]:
    return select(_VAULT_KEYS.c.wrapped).where(_VAULT_KEYS.c.conversation_id == conversation_id)


def _same_grant(lease: Lease) -> Iterable[Any]:
    return (
        _LEASES.c.conversation_id == lease.conversation_id,
        _LEASES.c.what == lease.what,
        _LEASES.c.grant_id == lease.grant,
    )


def _event_rows(conversation_id: str, version: int, events: Sequence[Event]) -> list[dict[str, Any]]:
    return [
        {
            "conversation_id": conversation_id,
            "version": each_version,
            "kind": each.kind,
            "at": each.at,
            "turn_id": each.turn_id,
            "session_id": each.session_id,
            "body": dump(each),
        }
        for each_version, each in enumerate(events, version + 1)
    ]


async def _load_views(connection: AsyncConnection, conversation_id: str, needed: Touched) -> Views:
    """The rows that some events touch; nothing is read that they do not touch."""
    views = Views(conversation_id)
    if needed.turn_ids or needed.hand_off_ids:
        of = _SESSIONS.c.conversation_id == conversation_id
        last = select(func.max(_SESSIONS.c.version)).where(of).scalar_subquery()
        known = or_(_SESSIONS.c.session_id.in_(needed.session_ids), _SESSIONS.c.version == last)
        for row in await connection.execute(select(_SESSIONS).where(of, known)):
            views.sessions[row.session_id] = SessionRow(**row._mapping)
    if needed.turn_ids:
        of = _TURNS.c.conversation_id == conversation_id
        for row in await connection.execute(select(_TURNS).where(of, _TURNS.c.turn_id.in_(needed.turn_ids))):
            views.turns[row.turn_id] = _turn_row(row)
    if needed.hand_off_ids:
        of = _HAND_OFFS.c.conversation_id == conversation_id
        known = _HAND_OFFS.c.hand_off_id.in_(needed.hand_off_ids)
        for row in await connection.execute(select(_HAND_OFFS).where(of, known)):
            views.hand_offs[row.hand_off_id] = HandOffRow(**row._mapping)
    return views


def _turn_row(row: Row[Any]) -> TurnRow:
    values = dict(row._mapping)
    lists = {name: tuple(values[name]) for name in ("reasons", "tools", "sources")}
    return TurnRow(**{**values, **lists})


@cache
def _upsert_into(table: Table, dialect: str) -> Any:
    """The statement is made once: each one made anew leaves a thousand objects to the garbage collector."""
    statement = _UPSERTS[dialect](table)
    values = {c.name: statement.excluded[c.name] for c in table.columns if not c.primary_key}
    return statement.on_conflict_do_update(table.primary_key, set_=values)

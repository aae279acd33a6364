"""The journal in SQL: one code for SQLite and Postgres.

The views (turn log, hand-offs, sessions) are tables that change in the transaction of the append.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, Literal

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.errors import ProviderError
from agent.events import Event, dump, load
from agent.store.database import Database
from agent.store.journal import Conflict, Lease, Taken, Watchers, hash_token, new_token
from agent.store.tables import (
    EVENTS,
    HAND_OFFS,
    LEASES,
    SCHEMA,
    SCHEMA_VERSION,
    SESSIONS,
    TABLES,
    TOKENS,
    TURNS,
    VAULT_KEYS,
    VAULT_VALUES,
)
from agent.store.vault import SealedValue
from agent.store.view_rows import turn_row, update_views
from agent.store.views import CLOSED, HandOffRow, TurnRow

PAGE_EVENTS = 250
"""So many events are read at once, which takes about 3 ms of the event loop."""


class SqlJournal:
    """A Journal and VaultHome in a database. Made by `open`."""

    def __init__(self, database: Database, *, clock: Callable[[], float], poll_secs: float) -> None:
        self.database = database
        self.poll_secs = poll_secs
        """Another process's writes are looked for so often; what is told of them by `wake` is seen at once."""
        self._clock = clock
        self._watchers = Watchers()

    @classmethod
    async def open(cls, url: str, *, clock: Callable[[], float], poll_secs: float = 0.5) -> SqlJournal:
        """Connect and make what tables are missing.

        `url` is `sqlite:///PATH` (four slashes for an absolute path), `postgresql://...` or `postgres://...`.
        `clock` gives seconds since the epoch. Another process's writes are looked for every `poll_secs`.
        Raises ValueError for a URL of another kind, ProviderError where the database cannot be used.
        """
        journal = cls(Database(url), clock=clock, poll_secs=poll_secs)
        try:
            await journal.database.set_up(_make_tables)
        except BaseException:
            await journal.close()
            raise
        return journal

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """See Journal."""

        async def work(connection: AsyncConnection) -> int:
            await self.database.lock(connection, conversation_id)
            version = await connection.scalar(_version_of(conversation_id)) or 0
            if version != expected_version:
                raise Conflict(version)
            if events:
                await connection.execute(insert(EVENTS), _event_rows(conversation_id, version, events))
                await update_views(self.database, connection, conversation_id, version, events)
            return version + len(events)

        version = await self.database.write(work)
        self._watchers.wake(conversation_id)
        return version

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """See Journal."""
        events: list[Event] = []
        while True:
            rows = await self.database.select(_page_from(conversation_id, after + 1))
            events += [load(row.body) for row in rows]
            if len(rows) < PAGE_EVENTS:
                return events
            after = rows[-1].version

    async def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        """See Journal."""
        with self._watchers.watching(conversation_id) as changed:
            while not self._watchers.closed:
                changed.clear()
                rows = await self.database.select(_page_from(conversation_id, after))
                if after and (not rows or rows[0].version != after):
                    return
                for row in rows:
                    if row.version > after:
                        yield load(row.body)
                        after = row.version
                if len(rows) == PAGE_EVENTS:
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_secs):
                        await changed.wait()

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """See Journal."""
        lease = Lease(conversation_id, what, owner, ttl_secs, new_token(), self)

        async def work(connection: AsyncConnection) -> Lease | Taken:
            await self.database.lock(connection, conversation_id)
            found = await connection.execute(
                select(LEASES).where(LEASES.c.conversation_id == conversation_id, LEASES.c.what == what)
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
            await self.database.upsert(connection, LEASES, [row])
            return lease

        return await self.database.write(work)

    async def renew_lease(self, lease: Lease) -> bool:
        """See LeaseHome."""
        statement = update(LEASES).where(*_same_grant(lease))

        async def work(connection: AsyncConnection) -> bool:
            done = await connection.execute(statement.values(expires_at=self._clock() + lease.ttl_secs))
            return done.rowcount == 1

        return await self.database.write(work)

    async def release_lease(self, lease: Lease) -> None:
        """See LeaseHome."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(LEASES).where(*_same_grant(lease)))

        await self.database.write(work)

    async def forget(self, conversation_id: str) -> None:
        """See Journal. In SQLite nothing is left in its files; Postgres frees the space by its own vacuum."""
        await self.database.to_the_end(self._forget(conversation_id))
        self._watchers.wake(conversation_id)

    async def issue_token(self, conversation_id: str, token: str | None = None) -> str:
        """See Journal."""
        token = token or new_token()

        async def work(connection: AsyncConnection) -> None:
            row = {"sha256": hash_token(token), "conversation_id": conversation_id}
            await self.database.upsert(connection, TOKENS, [row])

        await self.database.write(work)
        return token

    async def find_token(self, token: str) -> str | None:
        """See Journal."""
        known = select(TOKENS.c.conversation_id).where(TOKENS.c.sha256 == hash_token(token))
        rows = await self.database.select(known)
        return rows[0].conversation_id if rows else None

    async def find_session(self, session_id: str) -> str | None:
        """See Journal."""
        rows = await self.database.select(
            select(SESSIONS.c.conversation_id)
            .where(SESSIONS.c.session_id == session_id)
            .order_by(SESSIONS.c.joined_at.desc(), SESSIONS.c.conversation_id.desc())
            .limit(1)
        )
        return rows[0].conversation_id if rows else None

    async def turn_log(self, conversation_id: str | None = None, limit: int = 100) -> list[TurnRow]:
        """See Journal."""
        newest = select(TURNS).order_by(
            TURNS.c.started_at.desc(), TURNS.c.conversation_id.desc(), TURNS.c.version.desc()
        )
        if conversation_id is not None:
            newest = newest.where(TURNS.c.conversation_id == conversation_id)
        return [turn_row(row) for row in reversed(await self.database.select(newest.limit(limit)))]

    async def open_hand_offs(self) -> list[HandOffRow]:
        """See Journal."""
        rows = await self.database.select(
            select(HAND_OFFS)
            .where(HAND_OFFS.c.state.not_in(CLOSED))
            .order_by(HAND_OFFS.c.requested_at, HAND_OFFS.c.conversation_id, HAND_OFFS.c.hand_off_id)
        )
        return [HandOffRow(**row._mapping) for row in rows]

    def wake(self, conversation_id: str) -> None:
        """See Home."""
        self._watchers.wake(conversation_id)

    async def close(self) -> None:
        """See Journal; writes that have begun are waited for."""
        self._watchers.close()
        await self.database.close()

    async def vault_key(self, conversation_id: str) -> bytes | None:
        """See VaultHome."""
        rows = await self.database.select(_key_of(conversation_id))
        return rows[0].wrapped if rows else None

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        """See VaultHome."""

        async def work(connection: AsyncConnection) -> bytes:
            await self.database.lock(connection, conversation_id)
            kept = await connection.scalar(_key_of(conversation_id))
            if kept is None:
                row = {"conversation_id": conversation_id, "wrapped": wrapped}
                await connection.execute(insert(VAULT_KEYS), row)
            return kept or wrapped

        return await self.database.write(work)

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        """See VaultHome."""
        columns = [VAULT_VALUES.c[each.name] for each in fields(SealedValue)]
        rows = await self.database.select(select(*columns).where(VAULT_VALUES.c.conversation_id == conversation_id))
        return [SealedValue(**row._mapping) for row in rows]

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        """See VaultHome."""

        async def work(connection: AsyncConnection) -> Literal["added", "forgotten"]:
            await self.database.lock(connection, conversation_id)
            if await connection.scalar(_key_of(conversation_id)) != wrapped:
                return "forgotten"
            rows = [{"conversation_id": conversation_id, **vars(value)} for value in values]
            await connection.execute(insert(VAULT_VALUES), rows)
            return "added"

        try:
            return await self.database.write(work)
        except IntegrityError:
            return "taken"

    async def _forget(self, conversation_id: str) -> None:
        async def destroy_key(connection: AsyncConnection) -> None:
            await self.database.lock(connection, conversation_id)
            of = VAULT_KEYS.c.conversation_id == conversation_id
            await connection.execute(delete(VAULT_KEYS).where(of))

        async def destroy_rest(connection: AsyncConnection) -> None:
            await self.database.lock(connection, conversation_id)
            for table in (EVENTS, TURNS, HAND_OFFS, SESSIONS, TOKENS, LEASES):
                await connection.execute(delete(table).where(table.c.conversation_id == conversation_id))

        await self.database.transaction(destroy_key)
        await self.database.transaction(destroy_rest)
        await self.database.empty_write_ahead_log()


async def _make_tables(connection: AsyncConnection) -> None:
    await connection.run_sync(TABLES.create_all)
    version = await connection.scalar(select(SCHEMA.c.version))
    if version is None:
        await connection.execute(insert(SCHEMA), {"version": SCHEMA_VERSION})
    elif version != SCHEMA_VERSION:
        raise ProviderError(
            f"the journal's database has schema {version}, this version uses {SCHEMA_VERSION}", retryable=False
        )


def _version_of(conversation_id: str) -> Select[int | None]:
    return select(func.max(EVENTS.c.version)).where(EVENTS.c.conversation_id == conversation_id)


def _page_from(conversation_id: str, version: int) -> Select[Any]:
    return (
        select(EVENTS.c.version, EVENTS.c.body)
        .where(EVENTS.c.conversation_id == conversation_id, EVENTS.c.version >= version)
        .order_by(EVENTS.c.version)
        .limit(PAGE_EVENTS)
    )


def _key_of(conversation_id: str) -> Select[bytes]:
    return select(VAULT_KEYS.c.wrapped).where(VAULT_KEYS.c.conversation_id == conversation_id)


def _same_grant(lease: Lease) -> Iterable[Any]:
    return (
        LEASES.c.conversation_id == lease.conversation_id,
        LEASES.c.what == lease.what,
        LEASES.c.grant_id == lease.grant,
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

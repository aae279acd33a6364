"""The customers' home in SQL: who is known by what, what is remembered of them, and where it was said.

Beside the journal, in the same database. Every write is one transaction under one lock, so that a merge, an
erasure and a conversation that goes on meanwhile come one after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.memory.facts import Aged, Fact, standing
from agent.memory.identity import Claim, Kind, Profile, Said, plain
from agent.memory.records import Customer, Noted, Traces
from agent.memory.sealing import Sealing, bound
from agent.memory.tables import CONVERSATIONS, CUSTOMERS, ERASED, FACTS, IDENTIFIERS, MENTIONS, migrate
from agent.store.database import Database

MAX_PROFILES = 50
"""So many customers that are known by the same are looked at, those seen last first."""
ERASED_DAYS = 30
"""How long it is known that a conversation was erased: no session and no worker lasts longer."""
_LOCK = "customers"


class Customers:
    """Made by `open`; closing is the database's."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._db = database
        self._sealing = sealing

    @classmethod
    async def open(cls, database: Database, sealing: Sealing) -> Customers:
        """Make or migrate the tables. Raises ProviderError where the database cannot be used."""
        await database.set_up(migrate)
        return cls(database, sealing)

    async def holding(self, claims: Sequence[Claim], said: Said, conversation_id: str, now: float) -> list[Profile]:
        """The customers who are known by one of the claims, without the one that is only this conversation's."""
        by_hash = {self._hash(claim): claim.key for claim in claims}
        own = select(CONVERSATIONS.c.customer_id).where(CONVERSATIONS.c.conversation_id == conversation_id)
        rows = await self._db.select(
            select(CUSTOMERS.c.customer_id, CUSTOMERS.c.created_at, IDENTIFIERS.c.hash, IDENTIFIERS.c.vouched)
            .join(IDENTIFIERS, IDENTIFIERS.c.customer_id == CUSTOMERS.c.customer_id)
            .where(IDENTIFIERS.c.hash.in_(by_hash), CUSTOMERS.c.customer_id.not_in(own))
            .order_by(CUSTOMERS.c.seen_at.desc())
            .limit(MAX_PROFILES)
        )
        holds: dict[tuple[str, float], dict[tuple[Kind, str], bool]] = {}
        for row in rows:
            holds.setdefault((row.customer_id, row.created_at), {})[by_hash[row.hash]] = row.vouched
        remembered = await self._remembered([customer_id for customer_id, _ in holds], said, now)
        return [
            Profile(
                customer_id,
                created_at,
                frozenset(keys),
                frozenset(key for key, vouched in keys.items() if vouched),
                frozenset(remembered.get(customer_id, ())),
            )
            for (customer_id, created_at), keys in holds.items()
        ]

    async def load(self, customer_ids: Iterable[str], now: float) -> list[Customer]:
        """Customers with all that still stands of them, as they are asked for; unknown ones are left out."""
        wanted = list(dict.fromkeys(customer_ids))
        keyed = CUSTOMERS.c.customer_id.in_(wanted) & CUSTOMERS.c.wrapped_key.is_not(None)
        rows = {row.customer_id: row for row in await self._db.select(select(CUSTOMERS).where(keyed))}
        identifiers = await self._db.select(select(IDENTIFIERS).where(IDENTIFIERS.c.customer_id.in_(rows)))
        facts = await self._db.select(select(FACTS).where(FACTS.c.customer_id.in_(rows)))
        links = await self._db.select(select(CONVERSATIONS).where(CONVERSATIONS.c.customer_id.in_(rows)))
        return [
            Customer(
                one.customer_id,
                one.created_at,
                one.seen_at,
                tuple(
                    (row.kind, self._opened(one.wrapped_key, row.sealed, row.customer_id, row.hash))
                    for row in identifiers
                    if row.customer_id == one.customer_id
                ),
                tuple(
                    standing((self._fact(one.wrapped_key, f) for f in facts if f.customer_id == one.customer_id), now)
                ),
                tuple(link.conversation_id for link in links if link.customer_id == one.customer_id),
            )
            for customer_id in wanted
            if (one := rows.get(customer_id))
        ]

    async def everyone(self) -> list[str]:
        """The ids of all customers, those seen last first."""
        kept = select(CUSTOMERS.c.customer_id).where(CUSTOMERS.c.wrapped_key.is_not(None))
        return [row.customer_id for row in await self._db.select(kept.order_by(CUSTOMERS.c.seen_at.desc()))]

    async def find(self, customer_id: str, claims: Sequence[Claim]) -> list[str]:
        """The customers of that id, or known by one of the claims."""
        hashes = [self._hash(claim) for claim in claims]
        known = select(IDENTIFIERS.c.customer_id).where(IDENTIFIERS.c.hash.in_(hashes))
        named = CUSTOMERS.c.customer_id == customer_id
        rows = await self._db.select(select(CUSTOMERS).where(or_(named, CUSTOMERS.c.customer_id.in_(known))))
        return list(dict.fromkeys(row.merged_into or row.customer_id for row in rows))

    async def customer_of(self, conversation_id: str) -> str | None:
        """The customer to whom a conversation belongs, be it by proof or by mere claim."""
        link = select(CONVERSATIONS.c.customer_id).where(CONVERSATIONS.c.conversation_id == conversation_id)
        rows = await self._db.select(link)
        return rows[0].customer_id if rows else None

    async def note(self, noted: Noted, now: float) -> bool:
        """Keep what a conversation tells. False where its customer was erased: nothing of it may be kept then."""

        async def work(connection: AsyncConnection) -> bool:
            await self._db.lock(connection, _LOCK)
            if await connection.scalar(select(ERASED).where(ERASED.c.conversation_id == noted.conversation_id)):
                return False
            customer_id = await self._customer_of(connection, noted, now)
            if customer_id == "erased":
                return False
            if customer_id:
                await self._keep(connection, customer_id, noted, now)
            rows = [{"conversation_id": noted.conversation_id, "hash": self._hash(c)} for c in noted.mentioned]
            await self._insert_new(connection, MENTIONS, rows)
            return True

        return await self._db.write(work)

    async def traces(self, customer_id: str, claims: Sequence[Claim]) -> Traces:
        """What is kept of the customers of that id or known by a claim, and of those they were merged from."""
        found = await self.find(customer_id, claims)
        ids = CUSTOMERS.c.customer_id.in_(found) | CUSTOMERS.c.merged_into.in_(found)
        customer_ids = [row[0] for row in await self._db.select(select(CUSTOMERS.c.customer_id).where(ids))]
        held = await self._db.select(select(IDENTIFIERS).where(IDENTIFIERS.c.customer_id.in_(customer_ids)))
        facts = await self._db.select(select(FACTS.c.name).where(FACTS.c.customer_id.in_(customer_ids)))
        links = select(CONVERSATIONS.c.conversation_id).where(CONVERSATIONS.c.customer_id.in_(customer_ids))
        hashes = {*(row.hash for row in held), *map(self._hash, claims)}
        mentions = select(MENTIONS.c.conversation_id).where(MENTIONS.c.hash.in_(hashes))
        conversation_ids = [row[0] for row in await self._db.select(links.union(mentions))]  # type: ignore[arg-type]
        return Traces(customer_ids, conversation_ids, len(held), len(facts))

    async def close_off(self, conversation_ids: Sequence[str], now: float) -> None:
        """From now on nothing may be noted of these conversations, and sessions that carry them end."""

        async def work(connection: AsyncConnection) -> None:
            await self._db.lock(connection, _LOCK)
            await connection.execute(delete(ERASED).where(ERASED.c.at < now - ERASED_DAYS * 86_400))
            await self._insert_new(
                connection, ERASED, [{"conversation_id": id_, "at": now} for id_ in conversation_ids]
            )

        await self._db.write(work)

    async def erased(self, conversation_ids: Iterable[str]) -> set[str]:
        """Those of the conversations that were erased."""
        rows = await self._db.select(select(ERASED).where(ERASED.c.conversation_id.in_(list(conversation_ids))))
        return {row.conversation_id for row in rows}

    async def remove(self, traces: Traces) -> None:
        """Destroy the customers' keys and rows; in SQLite nothing is left in its files."""

        async def work(connection: AsyncConnection) -> None:
            await self._db.lock(connection, _LOCK)
            for table, column, ids in (
                (CUSTOMERS, CUSTOMERS.c.customer_id, traces.customer_ids),
                (FACTS, FACTS.c.conversation_id, traces.conversation_ids),
                (CONVERSATIONS, CONVERSATIONS.c.conversation_id, traces.conversation_ids),
                (MENTIONS, MENTIONS.c.conversation_id, traces.conversation_ids),
            ):
                await connection.execute(delete(table).where(column.in_(ids)))

        await self._db.write(work)
        await self._db.empty_write_ahead_log()

    async def _customer_of(
        self, connection: AsyncConnection, noted: Noted, now: float
    ) -> str | Literal["erased"] | None:
        """The customer to whom a conversation belongs from now on; a new one where it only claims to be somebody."""
        link = select(CONVERSATIONS.c.customer_id).where(CONVERSATIONS.c.conversation_id == noted.conversation_id)
        linked = await connection.scalar(link)
        if noted.customer_id is None:
            return linked or (await self._new(connection, noted.conversation_id, now) if noted.claims else None)
        customer_id = await _survivor(connection, noted.customer_id)
        if customer_id is None:
            return "erased"
        for other in (linked, *noted.same_as):
            same = await _survivor(connection, other) if other else None
            if same not in (None, customer_id):
                await self._merge(connection, str(same), customer_id)
        await _link(connection, noted.conversation_id, customer_id)
        return customer_id

    async def _new(self, connection: AsyncConnection, conversation_id: str, now: float) -> str:
        customer_id = secrets.token_hex(12)
        row = {"customer_id": customer_id, "wrapped_key": self._sealing.new_key(customer_id)}
        await connection.execute(insert(CUSTOMERS), {**row, "created_at": now, "seen_at": now})
        await _link(connection, conversation_id, customer_id)
        return customer_id

    async def _keep(self, connection: AsyncConnection, customer_id: str, noted: Noted, now: float) -> None:
        of = CUSTOMERS.c.customer_id == customer_id
        await connection.execute(update(CUSTOMERS).where(of).values(seen_at=now))
        key = await connection.scalar(select(CUSTOMERS.c.wrapped_key).where(of))
        assert key
        claims = [(c.kind, self._hash(c), c.canonical, c.vouched) for c in noted.claims]
        await self._hold(connection, customer_id, key, claims)
        await self._add_facts(connection, customer_id, key, noted.facts)
        await self._forget_faded(connection, customer_id, now)

    async def _hold(
        self, connection: AsyncConnection, customer_id: str, key: bytes, held: Iterable[tuple[str, str, str, bool]]
    ) -> None:
        """(kind, hash, value, vouched) of what the customer is known by; vouched for once, vouched for always."""
        for kind, hash_, value, vouched in held:
            row = {"customer_id": customer_id, "hash": hash_, "kind": kind, "vouched": vouched}
            sealed = self._sealing.seal(key, value, bound(customer_id, hash_))
            await self._insert_new(connection, IDENTIFIERS, [{**row, "sealed": sealed}])
            if vouched:
                this = (IDENTIFIERS.c.customer_id == customer_id, IDENTIFIERS.c.hash == hash_)
                await connection.execute(update(IDENTIFIERS).where(*this).values(vouched=True))

    async def _add_facts(
        self, connection: AsyncConnection, customer_id: str, key: bytes, facts: Iterable[Fact]
    ) -> None:
        """The newest stands: a fact that was said again has its later source."""
        kept = await connection.execute(select(FACTS).where(FACTS.c.customer_id == customer_id))
        known = {(row.name, row.hash): row.at for row in kept}
        rows = []
        for fact in facts:
            fact_hash = self._sealing.hash(fact.name, plain(fact.value))
            if fact.at > known.get((fact.name, fact_hash), float("-inf")):
                sealed = self._sealing.seal(key, fact.value, bound(customer_id, fact.name, fact_hash))
                row = {"customer_id": customer_id, "name": fact.name, "hash": fact_hash, "sealed": sealed}
                source = {"conversation_id": fact.conversation_id, "turn_id": fact.turn_id, "at": fact.at}
                rows.append({**row, **source})
        await self._db.upsert(connection, FACTS, rows)

    async def _forget_faded(self, connection: AsyncConnection, customer_id: str, now: float) -> None:
        kept = await connection.execute(select(FACTS).where(FACTS.c.customer_id == customer_id))
        aged = {Aged(row.name, row.hash, row.at) for row in kept}
        for fact in aged - set(standing(aged, now)):
            this = (FACTS.c.customer_id == customer_id, FACTS.c.name == fact.name, FACTS.c.hash == fact.hash)
            await connection.execute(delete(FACTS).where(*this))

    async def _merge(self, connection: AsyncConnection, gone: str, into: str) -> None:
        """What is kept of `gone` is sealed anew under the other's key; its own key is destroyed."""
        keys = {
            row.customer_id: row.wrapped_key
            for row in await connection.execute(select(CUSTOMERS).where(CUSTOMERS.c.customer_id.in_([gone, into])))
        }
        held = (await connection.execute(select(IDENTIFIERS).where(IDENTIFIERS.c.customer_id == gone))).all()
        moved = [(r.kind, r.hash, self._opened(keys[gone], r.sealed, gone, r.hash), r.vouched) for r in held]
        await self._hold(connection, into, keys[into], moved)
        facts = (await connection.execute(select(FACTS).where(FACTS.c.customer_id == gone))).all()
        await self._add_facts(connection, into, keys[into], [self._fact(keys[gone], row) for row in facts])
        for table in (IDENTIFIERS, FACTS):
            await connection.execute(delete(table).where(table.c.customer_id == gone))
        of = CONVERSATIONS.c.customer_id == gone
        await connection.execute(update(CONVERSATIONS).where(of).values(customer_id=into))
        merged = (CUSTOMERS.c.customer_id == gone) | (CUSTOMERS.c.merged_into == gone)
        await connection.execute(update(CUSTOMERS).where(merged).values(merged_into=into, wrapped_key=None))

    async def _remembered(
        self, customer_ids: Sequence[str], said: Said, now: float
    ) -> Mapping[str, set[tuple[str, str]]]:
        """Those of the said values that still stand, by customer; found by their hashes, nothing is opened."""
        hashes = {self._sealing.hash(name, plain(v)): (name, v) for name, values in said.items() for v in values}
        found: dict[str, set[tuple[str, str]]] = {}
        if not hashes or not customer_ids:
            return found
        rows = await self._db.select(
            select(FACTS.c.customer_id, FACTS.c.name, FACTS.c.hash, FACTS.c.at).where(
                FACTS.c.customer_id.in_(customer_ids), FACTS.c.hash.in_(hashes)
            )
        )
        for row in rows:
            if standing([Aged(row.name, row.hash, row.at)], now):
                found.setdefault(row.customer_id, set()).add(hashes[row.hash])
        return found

    async def _insert_new(self, connection: AsyncConnection, table: Any, rows: list[dict[str, Any]]) -> None:
        """Insert what is not there yet, by primary key; what is there stays."""
        keys = [column.name for column in table.primary_key]
        for row in {tuple(row[k] for k in keys): row for row in rows}.values():
            there = select(table).where(*(table.c[key] == row[key] for key in keys))
            if (await connection.execute(there)).first() is None:
                await connection.execute(insert(table), row)

    def _hash(self, claim: Claim) -> str:
        return self._sealing.hash(*claim.key)

    def _opened(self, key: bytes, sealed: bytes, customer_id: str, *names: str) -> str:
        return self._sealing.unseal(key, sealed, bound(customer_id, *names))

    def _fact(self, key: bytes, row: Any) -> Fact:
        value = self._opened(key, row.sealed, row.customer_id, row.name, row.hash)
        return Fact(row.name, value, row.conversation_id, row.turn_id, row.at)


async def _survivor(connection: AsyncConnection, customer_id: str) -> str | None:
    """The customer, or the one that it was merged into; None where it was erased."""
    row = (await connection.execute(select(CUSTOMERS).where(CUSTOMERS.c.customer_id == customer_id))).first()
    return (row.merged_into or row.customer_id) if row else None


async def _link(connection: AsyncConnection, conversation_id: str, customer_id: str) -> None:
    of = CONVERSATIONS.c.conversation_id == conversation_id
    done = await connection.execute(update(CONVERSATIONS).where(of).values(customer_id=customer_id))
    if not done.rowcount:
        await connection.execute(
            insert(CONVERSATIONS), {"conversation_id": conversation_id, "customer_id": customer_id}
        )

"""The customers' home in a real Postgres: migrated by two at once, merged, erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from agent.memory.customers import Customers
from agent.memory.facts import Fact
from agent.memory.identity import Claim
from agent.memory.records import Noted
from agent.memory.sealing import Sealing
from agent.store.database import Database
from tests.agent.store.conftest import postgres_server  # noqa: F401
from tests.servers import PostgresServer

NOW = 1_800_000_000.0


@pytest.fixture
async def homes(postgres_server: PostgresServer) -> AsyncIterator[list[Customers]]:  # noqa: F811
    """One home as three workers open it at once, at first on a database without its tables."""
    async with AsyncExitStack() as stack:
        databases = [Database(postgres_server.url) for _ in range(3)]
        for database in databases:
            stack.push_async_callback(database.close)
        yield await asyncio.gather(*(Customers.open(database, Sealing(b"k" * 32)) for database in databases))


async def test_workers_share_one_home_in_postgres(homes: list[Customers]) -> None:
    name = uuid4().hex
    email = Claim("email", f"{name}@example.com", f"{name}@example.com")
    user = Claim("user_id", name, name, vouched=True)
    facts = [Fact("card_number", str(n), f"{name}-chat", "t", NOW + n) for n in range(3)]
    await asyncio.gather(
        *(home.note(Noted(f"{name}-chat", [email], facts[: n + 1], [email]), NOW) for n, home in enumerate(homes))
    )
    await homes[0].note(Noted(f"{name}-call", [user]), NOW)
    (by_email,), (by_user,) = await homes[1].find("", [email]), await homes[1].find("", [user])
    await homes[2].note(Noted(f"{name}-third", [], customer_id=by_email, same_as=[by_user]), NOW)
    (anna,) = await homes[0].load([by_email], NOW)
    assert [fact.value for fact in anna.facts] == ["2", "1", "0"] and len(anna.identifiers) == 2
    traces = await homes[1].traces("", [user])
    assert (len(traces.customer_ids), len(traces.conversation_ids)) == (2, 3)
    await homes[1].close_off(traces.conversation_ids, NOW)
    await homes[1].remove(traces)
    assert not await homes[0].note(Noted(f"{name}-chat", [email]), NOW)
    assert (await homes[0].traces(by_email, [email, user])).customer_ids == []

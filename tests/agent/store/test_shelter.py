"""Postgres gone: the conversation goes on from memory, effects wait, and what was said is written in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from agent.errors import ProviderError
from agent.events import AgentSaid, EffectStarted, SessionJoined, UserSaid
from agent.live import LiveConversation
from agent.store.journal import Lease, Taken
from agent.store.passing import Home
from agent.store.redis import RedisFront
from agent.store.shelter import Shelter
from agent.store.sql import SqlJournal
from agent.store.vault import Vault
from tests.agent.store.conditions import until
from tests.servers import PostgresServer, Proxy, RedisServer

KEY = bytes(range(32))
LEFT = "the journal's database is gone: conversations go on from memory"
BACK = "the journal's database is back: what was held is written"


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[Proxy]:
    async with Proxy(postgres_server.port) as proxy:
        yield proxy


@pytest.fixture(params=["postgres", "postgres+redis"])
def redis_url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        return ""
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


async def _opened(url: str, redis_url: str, clock: Any) -> Home:
    sql = await SqlJournal.open(url, clock=clock, poll_secs=0.01)
    return await RedisFront.open(sql, redis_url, clock=clock, retry_secs=0.01) if redis_url else sql


@pytest.fixture
async def shelter(proxy: Proxy, postgres_server: PostgresServer, redis_url: str, clock: Any) -> AsyncIterator[Shelter]:
    through = postgres_server.url.replace(str(postgres_server.port), str(proxy.port))
    shelter = Shelter(await _opened(through, redis_url, clock), clock=clock, retry_secs=0.01)
    yield shelter
    await shelter.close()


@pytest.fixture
async def other(postgres_server: PostgresServer, redis_url: str, clock: Any) -> AsyncIterator[Home]:
    """Another worker, whose way to Postgres is never cut."""
    home = await _opened(postgres_server.url, redis_url, clock)
    yield home
    await home.close()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


async def joined(home: Home, conversation_id: str, clock: Any, session_id: str = "s1") -> LiveConversation:
    vault = await Vault(home, KEY).open(conversation_id)
    live = await LiveConversation.open(conversation_id, journal=home, vault=vault, session_id=session_id, clock=clock)
    await live.record(SessionJoined(channel="text", **live.stamp()))
    return live


async def exchange(live: LiveConversation, name: str) -> None:
    """One turn, as a session writes it."""
    await live.refresh()
    stamp = live.stamp(name)
    await live.record(UserSaid(text=f"asked {name}", **stamp))
    await live.record(AgentSaid(text=f"told {name}", **stamp))


def turns(live: LiveConversation) -> list[tuple[str, str]]:
    return [(turn.user_text, turn.agent_text) for turn in live.state.turns]


def told(*names: str) -> list[tuple[str, str]]:
    return [(f"asked {name}", f"told {name}") for name in names]


async def test_it_goes_on_and_is_written_in_order(
    shelter: Shelter, other: Home, proxy: Proxy, conversation_id: str, clock: Any, lines: list[Any]
) -> None:
    live = await joined(shelter, conversation_id, clock)
    await exchange(live, "one")
    await proxy.cut()
    for name in ("two", "three"):
        await exchange(live, name)
    assert shelter.away and [line["event"] for line in lines if "database" in line["event"]] == [LEFT]
    again = await joined(shelter, conversation_id, clock, "s2")
    assert turns(again) == told("one", "two", "three")
    await proxy.open()
    await until(lambda: not shelter.away)
    await exchange(live, "four")
    assert turns(live) == told("one", "two", "three", "four")
    there = await joined(other, conversation_id, clock, "s3")
    assert turns(there) == turns(live)
    assert [line["event"] for line in lines if "database" in line["event"]] == [LEFT, BACK]


async def test_an_effect_that_may_happen_once_waits(
    shelter: Shelter, proxy: Proxy, conversation_id: str, clock: Any
) -> None:
    live = await joined(shelter, conversation_id, clock)
    await proxy.cut()
    await exchange(live, "one")
    safe = {"tool": "t", "arguments": {}, "effect": "safe", **live.stamp("one")}
    assert await live.record_first(EffectStarted(effect_id="looks", **safe))
    with pytest.raises(ProviderError, match="waits"):
        await live.record_first(EffectStarted(effect_id="changes", **{**safe, "effect": "once"}))
    assert "changes" not in live.state.effects
    await proxy.open()
    await until(lambda: not shelter.away)
    assert await live.record_first(EffectStarted(effect_id="changes", **{**safe, "effect": "once"}))


async def test_what_another_worker_wrote_meanwhile_stays_before_what_was_held(
    shelter: Shelter, other: Home, proxy: Proxy, conversation_id: str, clock: Any
) -> None:
    live = await joined(shelter, conversation_id, clock)
    await exchange(live, "one")
    elsewhere = await joined(other, conversation_id, clock, "s2")
    await proxy.cut()
    await exchange(live, "held")
    await exchange(elsewhere, "written")
    await proxy.open()
    await until(lambda: not shelter.away)
    for each in (live, elsewhere):
        await exchange(each, each.session_id)
    await live.refresh()
    assert turns(live) == turns(elsewhere) == told("one", "written", "held", "s1", "s2")


async def test_personal_data_and_tokens_are_held_too(
    shelter: Shelter, other: Home, proxy: Proxy, clock: Any, conversation_id: str
) -> None:
    old_token = await shelter.issue_token(conversation_id)
    live = await joined(shelter, conversation_id, clock)
    assert live.vault.protect("NAME", "Jane", "jane") == "[NAME_1]"
    await exchange(live, "one")
    await proxy.cut()
    assert live.vault.protect("EMAIL", "jane@example.com", "jane@example.com") == "[EMAIL_1]"
    await exchange(live, "two")
    begun = f"conversation-{uuid4()}"
    token = await shelter.issue_token(begun)
    await exchange(await joined(shelter, begun, clock), "new")
    assert await shelter.find_token(old_token) == conversation_id and await shelter.find_token(token) == begun
    assert (await joined(shelter, conversation_id, clock)).vault.reveal("[EMAIL_1]", "tool") == "jane@example.com"
    await proxy.open()
    await until(lambda: not shelter.away)
    assert await other.find_token(token) == begun
    assert turns(await joined(other, begun, clock)) == told("new")
    there = await joined(other, conversation_id, clock)
    assert there.vault.reveal_text("[NAME_1], [EMAIL_1]", "tool") == "Jane, jane@example.com"


async def test_leases_hold_while_it_is_away(shelter: Shelter, proxy: Proxy, conversation_id: str, clock: Any) -> None:
    live = await joined(shelter, conversation_id, clock)
    before = await shelter.lease(conversation_id, "speaker", "a", 30)
    await proxy.cut()
    await exchange(live, "one")
    assert isinstance(before, Lease) and await before.renew()
    async with await shelter.lease(conversation_id, "turn", "a", 30) as lease:
        assert isinstance(lease, Lease)
        assert isinstance(await shelter.lease(conversation_id, "turn", "b", 30), Taken)
    await before.release()


async def test_a_watch_goes_on_and_gives_each_event_once(
    shelter: Shelter, other: Home, proxy: Proxy, conversation_id: str, clock: Any
) -> None:
    live = await joined(shelter, conversation_id, clock)
    elsewhere = await joined(other, conversation_id, clock, "s2")
    stream = shelter.watch(conversation_id, 0)
    seen: list[str] = []

    async def see(*words: str) -> None:
        while not set(words) <= set(seen):
            event = await anext(stream)
            seen.extend([event.text] if isinstance(event, UserSaid) else [])

    await exchange(live, "one")
    await see("asked one")
    await proxy.cut()
    await exchange(live, "held")
    await see("asked held")
    await exchange(elsewhere, "written")
    await proxy.open()
    await until(lambda: not shelter.away)
    await exchange(live, "two")
    await see("asked written", "asked two")
    assert sorted(seen) == sorted(["asked one", "asked held", "asked written", "asked two"])


async def test_nothing_is_said_to_be_forgotten_that_is_not(
    shelter: Shelter, proxy: Proxy, conversation_id: str, clock: Any
) -> None:
    live = await joined(shelter, conversation_id, clock)
    await proxy.cut()
    await exchange(live, "one")
    with pytest.raises(ProviderError):
        await shelter.forget(conversation_id)


class _LostAnswers(Shelter):
    """A way home on which the next append is done and its acknowledgement lost."""

    lose = False

    async def append(self, conversation_id: str, expected_version: int, events: Any) -> int:
        version = await self._home.append(conversation_id, expected_version, events)
        if self.lose:
            self.lose = False
            raise ProviderError("the answer was lost")
        return version


async def test_an_append_whose_acknowledgement_was_lost_is_not_doubled(
    other: Home, conversation_id: str, clock: Any
) -> None:
    way = _LostAnswers(other, clock=clock)
    shelter = Shelter(way, clock=clock, retry_secs=0.01)
    live = await joined(shelter, conversation_id, clock)
    for lost in ("one", "two"):
        way.lose = True
        await exchange(live, lost)
        await until(lambda: not shelter.away)
    started = EffectStarted(effect_id="changes", tool="t", arguments={}, effect="once", **live.stamp("two"))
    way.lose = True
    with suppress(ProviderError):
        await live.record_first(started)
    await until(lambda: not shelter.away)
    await exchange(live, "three")
    there = await joined(other, conversation_id, clock, "s2")
    assert turns(there) == turns(live) == told("one", "two", "three")

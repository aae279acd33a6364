"""Redis gone, slow, full, restarted empty: nothing lost, nothing doubled, one log line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from agent.events import UserSaid
from agent.store.journal import Conflict, Lease, Taken
from agent.store.redis import DEADLINE_SECS, RedisFront
from agent.store.sql import SqlJournal
from agent.store.vault import Vault
from tests.agent.store.conditions import until
from tests.servers import Proxy, RedisServer, running

Lines = list[Any]


def said(n: int) -> UserSaid:
    return UserSaid(text=f"word {n}", at=float(n), turn_id=f"t{n}", session_id="s1")


async def talk(home: RedisFront, first: int, count: int) -> None:
    """Some turns, each of which reads what there is before it writes."""
    for n in range(first, first + count):
        known = await home.read("c")
        assert known == [said(i) for i in range(n)]
        assert await home.append("c", n, [said(n)]) == n + 1


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may stop."""
    with running(RedisServer(tmp_path)) as server:
        yield server


@pytest.fixture
async def proxy(own_redis: RedisServer) -> AsyncIterator[Proxy]:
    async with Proxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
async def front(proxy: Proxy, database: str, clock: Any) -> AsyncIterator[RedisFront]:
    sql = await SqlJournal.open(database, clock=clock, poll_secs=0.01)
    front = await RedisFront.open(sql, f"redis://127.0.0.1:{proxy.port}", clock=clock, retry_secs=0.01)
    yield front
    await front.close()


@pytest.fixture
async def redis(own_redis: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_redis.url) as client:
        yield client


async def copied(redis: Redis) -> int:
    return int(await redis.llen("openline:{c}:events"))  # type: ignore[misc]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as captured:
        yield captured


async def test_redis_gone_in_mid_conversation_and_back(
    front: RedisFront, proxy: Proxy, redis: Redis, lines: Lines
) -> None:
    await talk(front, 0, 5)
    await proxy.cut()
    await talk(front, 5, 5)
    assert [line["event"] for line in lines] == ["Redis is gone: the database serves alone until it is back"]
    await proxy.open()
    await until(lambda: front.up)
    await talk(front, 10, 5)
    await until(lambda: _is(redis, 15))
    assert [line["event"] for line in lines][1:] == ["Redis is back"]


async def _is(redis: Redis, length: int) -> bool:
    return await copied(redis) == length


async def test_a_slow_redis_is_left_alone(front: RedisFront, proxy: Proxy, lines: Lines) -> None:
    await talk(front, 0, 3)
    proxy.delay_secs = 2 * DEADLINE_SECS
    await talk(front, 3, 10)
    assert [line["event"] for line in lines] == ["Redis is gone: the database serves alone until it is back"]
    proxy.delay_secs = 0.0
    await until(lambda: front.up)
    await talk(front, 13, 3)


async def test_a_full_redis_serves_what_it_can(front: RedisFront, redis: Redis, lines: Lines) -> None:
    await talk(front, 0, 3)
    await redis.config_set("maxmemory-policy", "noeviction")
    await redis.config_set("maxmemory", "1")
    await talk(front, 3, 5)
    lease = await front.lease("c", "turn", "a", 30)
    assert isinstance(lease, Lease)
    assert isinstance(await front.lease("c", "turn", "b", 30), Taken)
    await lease.release()
    assert await copied(redis) == 0
    assert [line["event"] for line in lines] == ["Redis is full: the database serves what it has no room for"]
    await redis.config_set("maxmemory", "0")
    await until(lambda: len(lines) == 2)
    await talk(front, 8, 3)
    await until(lambda: _is(redis, 11))
    assert [line["event"] for line in lines][1:] == ["Redis has room again"]


async def test_a_redis_that_restarts_empty_is_filled_by_whoever_has_the_conversation(
    front: RedisFront, own_redis: RedisServer, redis: Redis
) -> None:
    await talk(front, 0, 5)
    lease = await front.lease("c", "turn", "a", 30)
    own_redis.stop()
    own_redis.start()
    await talk(front, 5, 1)
    await until(lambda: front.up)
    assert await copied(redis) in (0, 6)
    await talk(front, 6, 2)
    await until(lambda: _is(redis, 8))
    assert isinstance(lease, Lease) and await lease.renew()
    assert isinstance(await front.lease("c", "turn", "b", 30), Taken)


async def test_an_append_alone_fills_an_emptied_redis(front: RedisFront, redis: Redis) -> None:
    await talk(front, 0, 5)
    await redis.flushall()
    await front.append("c", 5, [said(5)])
    await until(lambda: _is(redis, 6))


async def test_what_was_written_while_one_worker_had_no_redis_reaches_the_other(
    front: RedisFront, proxy: Proxy, own_redis: RedisServer, database: str, clock: Any
) -> None:
    """The other's copy lags until it writes, or until the first is back: it never writes on the ground of it."""
    sql = await SqlJournal.open(database, clock=clock, poll_secs=0.01)
    other = await RedisFront.open(sql, own_redis.url, clock=clock, retry_secs=0.01)
    await talk(front, 0, 3)
    await proxy.cut()
    await talk(front, 3, 3)
    version = len(await other.read("c"))
    while version < 7:
        try:
            version = await other.append("c", version, [said(6)])
        except Conflict:
            version += len(await other.read("c", after=version))
    assert await other.read("c") == await front.read("c") == [said(n) for n in range(7)]
    await other.close()


async def test_a_lease_goes_on_when_redis_is_lost(front: RedisFront, proxy: Proxy) -> None:
    lease = await front.lease("c", "turn", "a", 30)
    assert isinstance(lease, Lease)
    await proxy.cut()
    for _ in range(2):
        assert await lease.renew()
    assert isinstance(await front.lease("c", "turn", "b", 30), Taken)
    await lease.release()
    assert isinstance(await front.lease("c", "turn", "b", 30), Lease)


async def test_a_server_starts_without_its_redis(database: str, clock: Any, tmp_path: Path, lines: Lines) -> None:
    server = RedisServer(tmp_path)
    sql = await SqlJournal.open(database, clock=clock)
    front = await RedisFront.open(sql, server.url, clock=clock, retry_secs=0.01)
    await talk(front, 0, 2)
    assert len(lines) == 1
    server.start()
    await until(lambda: front.up)
    await talk(front, 2, 2)
    await front.close()
    server.stop()


async def test_no_personal_value_and_no_key_stands_in_redis(front: RedisFront, redis: Redis) -> None:
    vault = await Vault(front, bytes(range(32))).open("c")
    token = vault.protect("EMAIL", "jane@example.com", "jane@example.com")
    await vault.save()
    await front.append("c", 0, [UserSaid(text=token, at=1.0)])
    await front.lease("c", "turn", "a", 30)
    wrapped, sealed = await front.vault_key("c"), (await front.vault_values("c"))[0].sealed
    everything = b"".join([await redis.dump(key) for key in await redis.keys("*")])  # type: ignore[misc]
    assert token.encode() in everything and wrapped
    for secret in (b"jane", wrapped, sealed):
        assert secret not in everything

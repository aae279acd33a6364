"""The way to a Redis that may be gone, slow or full: nobody waits for it longer than a deadline.

    up --a command fails or is late--> away --a ping is answered well in time, what is stale is dropped--> up

While it is away no command is tried, so that a conversation meets a failure once; the change is logged, not each turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError

T = TypeVar("T")
log = structlog.get_logger()


class RedisAbsent(Exception):
    """Redis does not serve this now: go on without it."""


class RedisLink:
    """One process's connections to Redis."""

    def __init__(
        self, url: str, *, on_back: Callable[[Redis], Awaitable[None]], deadline_secs: float, retry_secs: float
    ) -> None:
        """`url` is redis://, rediss:// or unix://, else ValueError. `on_back` comes before it counts as up again."""
        once = Retry(NoBackoff(), 0)
        self._redis: Redis = Redis.from_url(url, retry=once, socket_connect_timeout=deadline_secs)
        self._listener: Redis = Redis.from_url(url, retry=once, socket_timeout=None, health_check_interval=15)
        self._on_back = on_back
        self._deadline_secs = deadline_secs
        self._retry_secs = retry_secs
        self._up = asyncio.Event()
        self._returning: asyncio.Task[None] | None = None
        self._emptying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; a Redis that is not there is tried again in the background."""
        try:
            await self._come_back()
        except (RedisError, OSError) as fault:
            self._lose(fault)

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def do(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """The command's answer. Raises RedisAbsent where it is away, late, full or fails."""
        if not self.up:
            raise RedisAbsent
        try:
            async with asyncio.timeout(self._deadline_secs):
                return await command(self._redis)
        except OutOfMemoryError:
            self._fill_up()
            raise RedisAbsent from None
        except (RedisError, OSError) as fault:
            self._lose(fault)
            raise RedisAbsent from None

    async def messages(self, channel: str) -> AsyncIterator[str | None]:
        """What is published, without end; None each time that the subscription begins or is lost."""
        while True:
            await self._up.wait()
            try:
                async with self._listener.pubsub() as subscription:
                    await subscription.subscribe(channel)
                    async for message in subscription.listen():
                        yield message["data"].decode() if message["type"] == "message" else None
            except (RedisError, OSError) as fault:
                self._lose(fault)
            yield None

    def _lose(self, fault: Exception) -> None:
        self._up.clear()
        if self._returning is None or self._returning.done():
            log.warning("Redis is gone: the database serves alone until it is back", error=type(fault).__name__)
            self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        while not self.up:
            await asyncio.sleep(self._retry_secs)
            try:
                await self._come_back()
            except (RedisError, OSError):
                continue
        log.info("Redis is back")

    def _fill_up(self) -> None:
        if self._emptying is None or self._emptying.done():
            log.warning("Redis is full: the database serves what it has no room for")
            self._emptying = asyncio.create_task(self._wait_for_room())

    async def _wait_for_room(self) -> None:
        while True:
            await asyncio.sleep(self._retry_secs)
            with suppress(RedisError, OSError):
                await self._redis.set("openline:room", 1, px=1)
                return log.info("Redis has room again")

    async def _come_back(self) -> None:
        async with asyncio.timeout(self._deadline_secs / 2):
            await self._redis.ping()
        await self._on_back(self._redis)
        self._up.set()

    async def close(self) -> None:
        for waiting in (self._returning, self._emptying):
            if waiting:
                waiting.cancel()
        self._up.clear()
        clients: tuple[Any, ...] = (self._redis, self._listener)
        for client in clients:
            await client.aclose()

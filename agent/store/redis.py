"""Redis in front of a home in SQL: the hot shared copy, the leases, and word of what other workers write.

    append    SQL, then the copy; a copy that is not where it should be is made anew from SQL
    read      the copy; SQL where there is none, and then the copy is filled again
    watch     SQL, which looks when word comes
    lease     Redis; SQL while Redis is away

SQL is the truth: losing, emptying or filling up Redis loses nothing, and its TTL drops only what SQL holds. A copy may
lag behind SQL for a moment, never the other way round; whoever writes on the ground of it meets a Conflict and the copy
is dropped. No personal value and no key of the vault ever stands here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from redis.asyncio import Redis

from agent.events import Event, dump, load
from agent.store.journal import Conflict, Lease, Taken, new_token
from agent.store.passing import Home, Passing
from agent.store.redis_link import RedisAbsent, RedisLink

HOT_SECS = 6 * 3600
"""A conversation in which nothing was written for so long is dropped from Redis."""
GONE_SECS = 60
"""So long after a conversation was forgotten no copy is made of it: a reader may still hold its events."""
DEADLINE_SECS = 0.25
RETRY_SECS = 1.0
POLL_SECS = 5.0
"""With word from Redis, SQL is asked so seldom for what others write."""
PARSED_AT_ONCE = 250
_CHANNEL = "openline:written"

T = TypeVar("T")

_PUSH = """
redis.call('PUBLISH', ARGV[3], ARGV[4])
if redis.call('EXISTS', KEYS[2]) == 1 then return true end
local length = redis.call('LLEN', KEYS[1])
if length == tonumber(ARGV[1]) then
    for i = 5, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return length >= tonumber(ARGV[1])
"""
_FILL = """
if redis.call('EXISTS', KEYS[2]) == 0 and redis.call('LLEN', KEYS[1]) < #ARGV - 1 then
    redis.call('DEL', KEYS[1])
    for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
    redis.call('EXPIRE', KEYS[1], ARGV[1])
end
"""
_FIELDS = "local owner, grant, ends = ARGV[1] .. ':owner', ARGV[1] .. ':grant', ARGV[1] .. ':expires_at'"
_TAKE = f"""
{_FIELDS}
local held = redis.call('HMGET', KEYS[1], owner, ends)
if held[2] and tonumber(held[2]) > tonumber(ARGV[6]) then return held end
redis.call('HSET', KEYS[1], owner, ARGV[2], grant, ARGV[3], ends, ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return false
"""
_RENEW = f"""
{_FIELDS}
local held = redis.call('HGET', KEYS[1], grant)
if held and held ~= ARGV[3] then return false end
redis.call('HSET', KEYS[1], owner, ARGV[2], grant, ARGV[3], ends, ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return true
"""
_RELEASE = f"""
{_FIELDS}
if redis.call('HGET', KEYS[1], grant) == ARGV[2] then redis.call('HDEL', KEYS[1], owner, grant, ends) end
"""


class WatchedHome(Home, Protocol):
    """A home that looks for what other processes have written, every `poll_secs` and when it is woken."""

    poll_secs: float

    def wake(self, conversation_id: str) -> None: ...


class RedisFront(Passing[WatchedHome]):
    """A Journal and VaultHome. Made by `open`."""

    def __init__(
        self, home: WatchedHome, url: str, *, clock: Callable[[], float], retry_secs: float = RETRY_SECS
    ) -> None:
        super().__init__(home)
        self._clock = clock
        self._alone_poll_secs = home.poll_secs
        self._stale: set[str] = set()
        """Conversations whose copies may lack what was written while Redis was away."""
        self._moved: dict[str, Lease] = {}
        """By grant: leases that are held in SQL since Redis went away."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listening: asyncio.Task[None] | None = None
        self._link = RedisLink(url, on_back=self._drop_stale, deadline_secs=DEADLINE_SECS, retry_secs=retry_secs)

    @classmethod
    async def open(
        cls, home: WatchedHome, url: str, *, clock: Callable[[], float], retry_secs: float = RETRY_SECS
    ) -> RedisFront:
        """Redis need not be there: it is used from when it is. ValueError where `url` is no Redis URL."""
        front = cls(home, url, clock=clock, retry_secs=retry_secs)
        await front._link.open()
        front._listening = front._start(front._listen())
        return front

    @property
    def up(self) -> bool:
        """Whether Redis serves."""
        return self._link.up

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """See Journal; SQL and the copy are both written to the end."""
        return await asyncio.shield(self._start(self._append(conversation_id, expected_version, events)))

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """See Journal. Where the copy has nothing to say, SQL says whether that is all."""
        try:
            lines = await self._link.do(lambda r: r.lrange(_Keys(conversation_id).events, after, -1))
        except RedisAbsent:
            return await self._home.read(conversation_id, after)
        if lines:
            return await _parsed(lines)
        events = await self._home.read(conversation_id, after)
        if events or after:
            self._start(self._fill(conversation_id, None if after else events))
        return events

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """See Journal."""
        lease = Lease(conversation_id, what, owner, ttl_secs, new_token(), self)
        try:
            held = await self._link.do(lambda r: _run(r, _TAKE, *self._row(lease), self._clock()))
        except RedisAbsent:
            return await self._home.lease(conversation_id, what, owner, ttl_secs)
        return Taken(held[0].decode(), float(held[1])) if held else lease

    async def renew_lease(self, lease: Lease) -> bool:
        """See LeaseHome. A lease that Redis has lost goes on, as long as nobody else has it."""
        try:
            return bool(await self._link.do(lambda r: _run(r, _RENEW, *self._row(lease))))
        except RedisAbsent:
            moved = self._moved.get(lease.grant)
            if moved:
                return await moved.renew()
            taken = await self._home.lease(lease.conversation_id, lease.what, lease.owner, lease.ttl_secs)
            if isinstance(taken, Lease):
                self._moved[lease.grant] = taken
            return isinstance(taken, Lease)

    async def release_lease(self, lease: Lease) -> None:
        """See LeaseHome."""
        moved = self._moved.pop(lease.grant, None)
        if moved:
            await moved.release()
        with suppress(RedisAbsent):
            await self._link.do(
                lambda r: _run(r, _RELEASE, [_Keys(lease.conversation_id).leases], lease.what, lease.grant)
            )

    def _row(self, lease: Lease) -> tuple[Sequence[str], str, str, str, float, int]:
        """What the scripts are given of a lease."""
        expires_at = self._clock() + lease.ttl_secs
        return [_Keys(lease.conversation_id).leases], lease.what, lease.owner, lease.grant, expires_at, HOT_SECS

    async def forget(self, conversation_id: str) -> None:
        """See Journal. From its begin on no copy is made any more."""
        keys = _Keys(conversation_id)
        try:
            await self._link.do(lambda r: r.set(keys.gone, 1, ex=GONE_SECS))
            await self._link.do(lambda r: r.delete(keys.events, keys.leases))
        except RedisAbsent:
            self._stale.add(conversation_id)
        await self._home.forget(conversation_id)
        with suppress(RedisAbsent):
            await self._link.do(lambda r: r.publish(_CHANNEL, json.dumps(conversation_id)))

    async def close(self) -> None:
        """See Journal."""
        if self._listening:
            self._listening.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.close()
        await self._home.close()

    async def _append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        try:
            version = await self._home.append(conversation_id, expected_version, events)
        except Conflict as conflict:
            await self._drop_shorter(conversation_id, conflict.actual_version)
            raise
        if events:
            await self._push(conversation_id, expected_version, events)
        return version

    async def _push(self, conversation_id: str, version: int, events: Sequence[Event]) -> None:
        """Add to the copy what was written at `version`, and tell the other workers."""
        values = (version, HOT_SECS, _CHANNEL, json.dumps(conversation_id), *map(dump, events))
        try:
            whole = await self._link.do(lambda r: _run(r, _PUSH, _Keys(conversation_id).copy, *values))
        except RedisAbsent:
            await self._drop(conversation_id)
        else:
            if not whole:
                self._start(self._fill(conversation_id, None))

    async def _fill(self, conversation_id: str, events: Sequence[Event] | None) -> None:
        """Make the copy anew where it is shorter than what SQL holds."""
        events = await self._home.read(conversation_id) if events is None else events
        lines = list(map(dump, events))
        with suppress(RedisAbsent):
            await self._link.do(lambda r: _run(r, _FILL, _Keys(conversation_id).copy, HOT_SECS, *lines))

    async def _drop(self, conversation_id: str) -> None:
        try:
            await self._link.do(lambda r: r.delete(_Keys(conversation_id).events))
        except RedisAbsent:
            self._stale.add(conversation_id)

    async def _drop_shorter(self, conversation_id: str, version: int) -> None:
        with suppress(RedisAbsent):
            if await self._link.do(lambda r: r.llen(_Keys(conversation_id).events)) != version:
                await self._drop(conversation_id)

    async def _drop_stale(self, redis: Redis) -> None:
        while self._stale:
            some = [self._stale.pop() for _ in range(min(len(self._stale), 500))]
            try:
                await redis.delete(*[key for each in some for key in (_Keys(each).events, _Keys(each).leases)])
            except BaseException:
                self._stale.update(some)
                raise

    async def _listen(self) -> None:
        """Wake those who watch what another worker has written; look oneself while no word can come."""
        async for word in self._link.messages(_CHANNEL):
            self._home.poll_secs = POLL_SECS if self.up else self._alone_poll_secs
            if word is not None:
                self._home.wake(json.loads(word))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled has not fetched it


async def _run(redis: Redis, script: str, keys: Sequence[str], *values: Any) -> Any:
    return await redis.register_script(script)(keys=keys, args=values)


async def _parsed(lines: Sequence[bytes | str]) -> list[Event]:
    """The events; a long journal lets others have the event loop in between."""
    events: list[Event] = []
    for start in range(0, len(lines), PARSED_AT_ONCE):
        events += map(load, lines[start : start + PARSED_AT_ONCE])
        await asyncio.sleep(0)
    return events


class _Keys:
    """The names of what Redis has of a conversation, in one slot of a cluster."""

    def __init__(self, conversation_id: str) -> None:
        prefix = f"openline:{{{conversation_id}}}:"
        self.events = f"{prefix}events"
        self.leases = f"{prefix}leases"
        self.gone = f"{prefix}gone"
        """Stands for a moment after a conversation was forgotten."""
        self.copy = (self.events, self.gone)

"""A conversation goes on from memory while no durable home can be reached, and is written home afterwards, in order.

    home --it does not deliver--> away --it answers again, what was held is written--> home

What this process has read or written lately is remembered, so that a conversation can go on where it was. While the
home is away everything is held in a `MemoryJournal`, but for the start of an effect that may happen only once: that is
refused. What others wrote meanwhile stays before what was held; sessions notice by their last event and fold anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from agent.errors import ProviderError
from agent.events import EffectStarted, Event, dump
from agent.store.journal import Conflict, Lease, Taken, new_token
from agent.store.memory import MemoryJournal
from agent.store.passing import Home, Passing
from agent.store.vault import SealedValue

RETRY_SECS = 1.0
REMEMBERED = 300
"""So many conversations are remembered, those used last."""
log = structlog.get_logger()


@dataclass
class _Remembered:
    """What the home has of one conversation, as far as this process knows."""

    events: list[Event] | None = None
    wrapped: bytes | None = None
    values: list[SealedValue] | None = None
    """None, as with `events`, while it is not known what there is."""


class _Camp:
    """What is held while the home is away."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.journal = MemoryJournal(clock=clock)
        self.base: dict[str, int] = {}
        """By conversation: how many of its events the home has for certain."""
        self.written: dict[str, int] = {}
        """By conversation: how many of its events stand in the home by now."""
        self.tokens: list[tuple[str, str]] = []
        """(conversation_id, token) of each that was issued here."""

    async def receive(self, conversation_id: str, known: _Remembered) -> None:
        """Take in a conversation as the home has it."""
        if conversation_id in self.base:
            return
        if known.events is None or known.values is None:
            raise ProviderError("the journal's database is gone, and this conversation is half known here")
        self.base[conversation_id] = await self.journal.append(conversation_id, 0, known.events)
        if known.wrapped:
            await self.journal.add_vault_key(conversation_id, known.wrapped)
            await self.journal.add_vault_values(conversation_id, known.wrapped, known.values)

    async def left(self) -> list[str]:
        """Conversations of which something is not written yet."""
        lengths = {each: len(await self.journal.read(each)) for each in self.base}
        return [each for each, length in lengths.items() if length > self.written.get(each, self.base[each])]


class Shelter(Passing[Home]):
    """A Journal and VaultHome over a durable one."""

    def __init__(self, home: Home, *, clock: Callable[[], float], retry_secs: float = RETRY_SECS) -> None:
        super().__init__(home)
        self._clock = clock
        self._retry_secs = retry_secs
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._leases: dict[str, Lease] = {}
        """By grant: the lease as its own home gave it."""
        self._camp: _Camp | None = None
        self._returning: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether conversations go on from memory."""
        return self._camp is not None

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """See Journal. Raises ProviderError for an effect's start that cannot be kept."""
        if not self._camp:
            try:
                version = await self._home.append(conversation_id, expected_version, events)
            except ProviderError as fault:
                self._leave(fault)
            else:
                self._written(conversation_id, expected_version, events)
                return version
        if any(isinstance(each, EffectStarted) and each.effect == "once" for each in events):
            raise ProviderError("an effect that may happen only once waits for a durable journal")
        camp = await self._in_camp(conversation_id)
        return await camp.append(conversation_id, expected_version, events)

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """See Journal."""
        if not self._camp:
            try:
                events = await self._home.read(conversation_id, after)
            except ProviderError as fault:
                self._leave(fault)
            else:
                self._read(conversation_id, after, events)
                return events
        return list(await (await self._in_camp(conversation_id)).read(conversation_id, after))

    async def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        """See Journal. Goes on from memory too; each event is given once, in whatever order it is written home."""
        given: set[str] = set()
        while True:
            camp = self._camp
            try:
                home = await self._in_camp(conversation_id) if camp else self._home
                async for event in home.watch(conversation_id, after):
                    after += 1
                    if (line := dump(event)) not in given:
                        given.add(line)
                        yield event
            except ProviderError as fault:
                self._leave(fault)
                await asyncio.sleep(self._retry_secs)
                continue
            if not camp:
                return
            after = min(after, camp.base[conversation_id])

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """See Journal."""
        taken: Lease | Taken | None = None
        if not self._camp:
            try:
                taken = await self._home.lease(conversation_id, what, owner, ttl_secs)
            except ProviderError as fault:
                self._leave(fault)
        if taken is None:
            camp = await self._in_camp(conversation_id)
            taken = await camp.lease(conversation_id, what, owner, ttl_secs)
        if isinstance(taken, Lease):
            self._leases[taken.grant] = taken
            return replace(taken, home=self)
        return taken

    async def renew_lease(self, lease: Lease) -> bool:
        """See LeaseHome. While its home is away nobody else can take it."""
        try:
            return await self._leases[lease.grant].renew()
        except ProviderError:
            return True

    async def release_lease(self, lease: Lease) -> None:
        """See LeaseHome. In a home that is away it expires by itself."""
        given = self._leases.pop(lease.grant, None)
        with suppress(ProviderError):
            if given:
                await given.release()

    async def forget(self, conversation_id: str) -> None:
        """See Journal. Nothing is forgotten while the home is away: it raises ProviderError."""
        await self._home.forget(conversation_id)
        self._remembered.pop(conversation_id, None)

    async def issue_token(self, conversation_id: str, token: str | None = None) -> str:
        """See Journal."""
        token = token or new_token()
        if not self._camp:
            try:
                await self._home.issue_token(conversation_id, token)
            except ProviderError as fault:
                self._leave(fault)
        if self._camp:
            self._camp.tokens.append((conversation_id, token))
            self._remembered.setdefault(conversation_id, _Remembered(events=[], values=[]))
        self._know_token(token, conversation_id)
        return token

    async def find_token(self, token: str) -> str | None:
        """See Journal. Raises ProviderError where a token is not known here while the home is away."""
        if not self._camp:
            try:
                found = await self._home.find_token(token)
            except ProviderError as fault:
                self._leave(fault)
            else:
                if found:
                    self._know_token(token, found)
                return found
        if token not in self._tokens:
            raise ProviderError("the journal's database is gone, and this token is not remembered here")
        return self._tokens[token]

    async def vault_key(self, conversation_id: str) -> bytes | None:
        """See VaultHome."""
        if not self._camp:
            try:
                wrapped = await self._home.vault_key(conversation_id)
            except ProviderError as fault:
                self._leave(fault)
            else:
                self._keep_key(conversation_id, wrapped)
                return wrapped
        return await (await self._in_camp(conversation_id)).vault_key(conversation_id)

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        """See VaultHome."""
        if not self._camp:
            try:
                kept = await self._home.add_vault_key(conversation_id, wrapped)
            except ProviderError as fault:
                self._leave(fault)
            else:
                self._keep_key(conversation_id, kept)
                if kept == wrapped:
                    self._memory(conversation_id).values = []
                return kept
        return await (await self._in_camp(conversation_id)).add_vault_key(conversation_id, wrapped)

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        """See VaultHome."""
        if not self._camp:
            try:
                values = await self._home.vault_values(conversation_id)
            except ProviderError as fault:
                self._leave(fault)
            else:
                self._memory(conversation_id).values = list(values)
                return values
        return await (await self._in_camp(conversation_id)).vault_values(conversation_id)

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        """See VaultHome."""
        if not self._camp:
            try:
                outcome = await self._home.add_vault_values(conversation_id, wrapped, values)
            except ProviderError as fault:
                self._leave(fault)
            else:
                known = self._memory(conversation_id)
                if outcome == "added" and known.values is not None:
                    known.values += values
                return outcome
        return await (await self._in_camp(conversation_id)).add_vault_values(conversation_id, wrapped, values)

    async def close(self) -> None:
        """See Journal. What is still held is tried to be written for the last time."""
        if self._returning:
            self._returning.cancel()
        if self._camp:
            with suppress(ProviderError):
                await self._bring_home(self._camp)
            if held := await self._camp.left():
                log.error("conversations could not be written: the database is gone", conversations=len(held))
            await self._camp.journal.close()
        await self._home.close()

    def _memory(self, conversation_id: str) -> _Remembered:
        known = self._remembered.setdefault(conversation_id, _Remembered())
        self._remembered.move_to_end(conversation_id)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return known

    def _know_token(self, token: str, conversation_id: str) -> None:
        self._tokens[token] = conversation_id
        self._tokens.move_to_end(token)
        if len(self._tokens) > REMEMBERED:
            self._tokens.popitem(last=False)

    def _keep_key(self, conversation_id: str, wrapped: bytes | None) -> None:
        known = self._memory(conversation_id)
        if wrapped != known.wrapped or known.values is None:
            known.wrapped, known.values = wrapped, None if wrapped else []

    def _written(self, conversation_id: str, version: int, events: Sequence[Event]) -> None:
        known = self._memory(conversation_id)
        if known.events is not None and len(known.events) == version:
            known.events += events
        elif events:  # somebody else wrote in between: what is remembered has a gap
            known.events = None

    def _read(self, conversation_id: str, after: int, events: Sequence[Event]) -> None:
        known = self._memory(conversation_id)
        if after == 0:
            known.events = list(events)
        elif known.events is not None and len(known.events) >= after:
            known.events[after:] = events
        else:
            known.events = None

    async def _in_camp(self, conversation_id: str) -> MemoryJournal:
        """The memory with the conversation in it. Raises ProviderError where it is not known here."""
        if not self._camp or conversation_id not in self._remembered:
            raise ProviderError("the journal's database is gone, and this conversation is not remembered here")
        await self._camp.receive(conversation_id, self._remembered[conversation_id])
        return self._camp.journal

    def _leave(self, fault: ProviderError) -> None:
        """Go on from memory; a fault that will not pass is raised."""
        if not fault.retryable:
            raise fault
        if self._camp is None:
            log.warning("the journal's database is gone: conversations go on from memory", error=str(fault))
            self._camp = _Camp(self._clock)
            self._returning = asyncio.create_task(self._return(self._camp))

    async def _return(self, camp: _Camp) -> None:
        while True:
            await asyncio.sleep(self._retry_secs)
            with suppress(ProviderError):
                await self._bring_home(camp)
                break
        self._camp = None
        log.info("the journal's database is back: what was held is written", conversations=len(camp.written))
        await camp.journal.close()

    async def _bring_home(self, camp: _Camp) -> None:
        """Returns when nothing is left in the camp, without letting anybody write to it in between."""
        await self._home.find_token("")  # only an answer of the database shows that it is there
        while camp.tokens:
            await self._home.issue_token(*camp.tokens[0])
            del camp.tokens[0]
        while left := await camp.left():
            for conversation_id in left:
                await self._bring(conversation_id, camp)

    async def _bring(self, conversation_id: str, camp: _Camp) -> None:
        """Write what the home lacks; a part of it may be there, if its acknowledgement was lost."""
        await self._bring_personal(conversation_id, camp.journal)
        base = camp.base[conversation_id]
        ours = await camp.journal.read(conversation_id)
        known, held = ours[:base], ours[base:]
        there = await self._home.read(conversation_id, base)
        lines = set(map(dump, there))
        missing = [each for each in held if dump(each) not in lines]
        with suppress(Conflict):
            await self._home.append(conversation_id, base + len(there), missing)
            camp.written[conversation_id] = len(ours)
            self._memory(conversation_id).events = [*known, *there, *missing]

    async def _bring_personal(self, conversation_id: str, camp: MemoryJournal) -> None:
        wrapped = await camp.vault_key(conversation_id)
        if wrapped is None:
            return
        stands = await self._home.add_vault_key(conversation_id, wrapped)
        there = await self._home.vault_values(conversation_id)
        for value in await camp.vault_values(conversation_id):
            if value not in there and await self._home.add_vault_values(conversation_id, stands, [value]) != "added":
                log.error("a personal value that was held is lost: another worker used its token", kind=value.kind)

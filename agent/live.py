"""A conversation while a session carries it: the fold kept up to date, and the pen that writes the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agent.conversation import Conversation, fold
from agent.events import EffectStarted, Event, dump
from agent.store.journal import Conflict, Journal
from agent.store.vault import ConversationVault, VaultForgotten


class LiveConversation:
    """The journal's pen for one session: everything that a session writes goes through `record`."""

    def __init__(
        self,
        state: Conversation,
        *,
        journal: Journal,
        vault: ConversationVault,
        session_id: str,
        clock: Callable[[], float],
        last: Event | None = None,
    ) -> None:
        """`last` is the event that made `state`; by it the session notices that the journal's order has changed."""
        self.state = state
        self.vault = vault
        self.session_id = session_id
        self.clock = clock
        self._journal = journal
        self._last = last
        self._pen = asyncio.Lock()
        self.forgotten = False
        """The conversation was erased: nothing of it is written any more."""

    @classmethod
    async def open(
        cls,
        conversation_id: str,
        *,
        journal: Journal,
        vault: ConversationVault,
        session_id: str,
        clock: Callable[[], float],
    ) -> LiveConversation:
        """Read the journal and fold it. `clock` gives seconds since the epoch."""
        events = await journal.read(conversation_id)
        state, last = fold(conversation_id, events), events[-1] if events else None
        return cls(state, journal=journal, vault=vault, session_id=session_id, clock=clock, last=last)

    @property
    def conversation_id(self) -> str:
        return self.state.conversation_id

    async def record(self, *events: Event) -> None:
        """Append and fold; returns when the journal has acknowledged.

        Another session's events that came in between are folded first, in the journal's order. Of a
        conversation that was erased nothing is written.
        """
        async with self._pen:
            while events and not self.forgotten:
                try:
                    return await self._append(events)
                except (Conflict, VaultForgotten) as fault:
                    await self._catch_up_after(fault)

    async def record_first(self, started: EffectStarted) -> bool:
        """Write an effect's start, unless another session has written one: then False, and it must not run."""

        def is_first(state: Conversation) -> bool:
            known = state.effects.get(started.effect_id)
            return known is None or known.state not in ("started", "done", "unknown")

        return await self.record_if(is_first, started)

    async def record_if(self, wanted: Callable[[Conversation], bool], event: Event) -> bool:
        """Append an event if it is still wanted in the state that it would be written after; whether it was."""
        async with self._pen:
            while not self.forgotten:
                if not wanted(self.state):
                    return False
                try:
                    await self._append([event])
                    return True
                except (Conflict, VaultForgotten) as fault:
                    await self._catch_up_after(fault)
        raise VaultForgotten("the conversation was erased: nothing is done in it any more")

    async def refresh(self) -> None:
        """Fold what other sessions have written meanwhile."""
        async with self._pen:
            await self._catch_up_after(None)

    async def _append(self, events: Sequence[Event]) -> None:
        await self.vault.save()
        await self._journal.append(self.conversation_id, self.state.version, events)
        self._take(events)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            self.state.apply(event)
            self._last = event

    async def _catch_up(self) -> None:
        """Fold what is new; all of it, where others wrote before what was held while the journal's home was away."""
        await self.vault.refresh()
        if self._last is None:
            return self._take(await self._journal.read(self.conversation_id))
        events = await self._journal.read(self.conversation_id, after=self.state.version - 1)
        if events and dump(events[0]) == dump(self._last):
            return self._take(events[1:])
        events = await self._journal.read(self.conversation_id)
        if len(events) < self.state.version:
            self.forgotten = True
            return
        self.state = fold(self.conversation_id, events)
        self._last = events[-1]

    async def _catch_up_after(self, fault: Conflict | VaultForgotten | None) -> None:
        """Catch up; notices that the conversation was erased."""
        behind = isinstance(fault, Conflict) and fault.actual_version < self.state.version
        self.forgotten = self.forgotten or behind or isinstance(fault, VaultForgotten)
        if not self.forgotten:
            try:
                await self._catch_up()
            except VaultForgotten:
                self.forgotten = True

    def stamp(self, turn_id: str | None = None) -> dict[str, Any]:
        """The fields that every event of this session carries."""
        return {"at": self.clock(), "turn_id": turn_id, "session_id": self.session_id}

"""Where conversations are held in memory while their home is away, and what is remembered of the home for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.errors import ProviderError
from agent.events import Event
from agent.store.memory import MemoryJournal
from agent.store.vault import SealedValue


@dataclass
class Remembered:
    """What the home has of one conversation, as far as this process knows."""

    events: list[Event] | None = None
    wrapped: bytes | None = None
    values: list[SealedValue] | None = None
    """None, as with `events`, while it is not known what there is."""


class Camp:
    """What is held while the home is away."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.journal = MemoryJournal(clock=clock)
        self.base: dict[str, int] = {}
        """By conversation: how many of its events the home has for certain."""
        self.written: dict[str, int] = {}
        """By conversation: how many of its events stand in the home by now."""
        self.tokens: list[tuple[str, str]] = []
        """(conversation_id, token) of each that was issued here."""

    async def receive(self, conversation_id: str, known: Remembered) -> None:
        """Take in a conversation as the home has it."""
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

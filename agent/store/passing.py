"""What stands in front of a home, and passes on to it whatever it does not do itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Generic, Literal, Protocol, TypeVar

from agent.events import Event
from agent.store.journal import Journal, Lease, Taken
from agent.store.vault import SealedValue, VaultHome
from agent.store.views import HandOffRow, TurnRow


class Home(Journal, VaultHome, Protocol):
    """Keeps conversations and their sealed personal values."""

    def wake(self, conversation_id: str) -> None:
        """Whoever watches the conversation looks now: something was written elsewhere."""
        ...


H = TypeVar("H", bound=Home)


class Passing(Generic[H]):
    """A Home over another; see Journal and VaultHome for each method."""

    def __init__(self, home: H) -> None:
        self._home = home

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        return await self._home.append(conversation_id, expected_version, events)

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        return await self._home.read(conversation_id, after)

    def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        return self._home.watch(conversation_id, after)

    def wake(self, conversation_id: str) -> None:
        self._home.wake(conversation_id)

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        return await self._home.lease(conversation_id, what, owner, ttl_secs)

    async def forget(self, conversation_id: str) -> None:
        await self._home.forget(conversation_id)

    async def issue_token(self, conversation_id: str, token: str | None = None) -> str:
        return await self._home.issue_token(conversation_id, token)

    async def find_token(self, token: str) -> str | None:
        return await self._home.find_token(token)

    async def find_session(self, session_id: str) -> str | None:
        return await self._home.find_session(session_id)

    async def turn_log(self, conversation_id: str | None = None, limit: int = 100) -> list[TurnRow]:
        return await self._home.turn_log(conversation_id, limit)

    async def open_hand_offs(self) -> list[HandOffRow]:
        return await self._home.open_hand_offs()

    async def close(self) -> None:
        await self._home.close()

    async def vault_key(self, conversation_id: str) -> bytes | None:
        return await self._home.vault_key(conversation_id)

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        return await self._home.add_vault_key(conversation_id, wrapped)

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        return await self._home.vault_values(conversation_id)

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        return await self._home.add_vault_values(conversation_id, wrapped, values)

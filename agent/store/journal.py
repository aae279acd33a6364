"""The journal: one append-only list of events per conversation. Its homes are `memory.py` and `sql.py`;
`redis.py` may stand before the latter, and `shelter.py` before both.

    append(conversation_id, expected_version, events) -> version                   raises Conflict
    read(conversation_id, after) -> events         watch(conversation_id, after) -> events, as they come
    lease(conversation_id, what, owner, ttl_secs) -> Lease | Taken                 forget(conversation_id)

A version is a number of events: version 3 means that events 1, 2 and 3 stand in the journal.
A home that cannot be reached raises `agent.errors.ProviderError`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from agent.errors import OpenlineError
from agent.events import Event
from agent.store.views import HandOffRow, TurnRow

_TOKEN_BYTES = 16


class Conflict(OpenlineError):
    """Somebody else has written, or has forgotten the conversation; nothing of the append stands.

    `actual_version` below the expected one means that the conversation was forgotten meanwhile:
    there is nothing to catch up with.
    """

    def __init__(self, actual_version: int) -> None:
        super().__init__(f"the journal is at version {actual_version}")
        self.actual_version = actual_version


class LeaseHome(Protocol):
    """What a `Lease` needs of the home that gave it."""

    async def renew_lease(self, lease: Lease) -> bool: ...

    async def release_lease(self, lease: Lease) -> None: ...


@dataclass(frozen=True)
class Lease:
    """The right to do one thing in one conversation, until it expires. `async with` releases it."""

    conversation_id: str
    what: str
    owner: str
    ttl_secs: float
    grant: str
    """Names this very grant, so that a lease which has passed on cannot be renewed or released."""
    home: LeaseHome = field(repr=False, compare=False)

    async def renew(self) -> bool:
        """Hold it for `ttl_secs` from now; False where it expired and has passed to somebody else."""
        return await self.home.renew_lease(self)

    async def release(self) -> None:
        """Give it back; does nothing where it has passed to somebody else."""
        await self.home.release_lease(self)

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()


@dataclass(frozen=True)
class Taken:
    """The lease is held; `expires_at` is in seconds of the home's clock."""

    owner: str
    expires_at: float


class Journal(Protocol):
    """A home of conversations. Every method may be called from many tasks at once."""

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """Write all of the events or none; the new version.

        Once begun it runs to its end, even if the caller is cancelled. Raises Conflict where the
        journal is not at `expected_version`.
        """
        ...

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """The events that come after a version, in order; none for an unknown conversation."""
        ...

    def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        """The events after a version, then each as it is appended, by whatever session or process.

        Ends when the conversation is forgotten or the home is closed.
        """
        ...

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """Take `what` ("turn", "speaker"...) unless it is held, be it by the same owner."""
        ...

    async def forget(self, conversation_id: str) -> None:
        """Destroy the vault's key, then everything else that is kept of a conversation."""
        ...

    async def issue_token(self, conversation_id: str, token: str | None = None) -> str:
        """A new customer's token: 128 random bits, urlsafe. Only its SHA-256 is kept.

        A `token` that was given to the customer while no home could be reached is kept as it is.
        """
        ...

    async def find_token(self, token: str) -> str | None:
        """The conversation of a customer's token; None where it is not known."""
        ...

    async def find_session(self, session_id: str) -> str | None:
        """The conversation that a session joined (the latest, should there be two); None where unknown."""
        ...

    async def turn_log(self, conversation_id: str | None = None, limit: int = 100) -> list[TurnRow]:
        """The newest `limit` turns of one conversation, or of all, oldest first."""
        ...

    async def open_hand_offs(self) -> list[HandOffRow]:
        """Hand-offs that are neither resolved nor back with the agent, longest waiting first."""
        ...

    async def close(self) -> None:
        """End every watch and let go of the home."""
        ...


def new_token() -> str:
    """128 random bits, urlsafe."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> str:
    """What is kept of a customer's token: SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Watchers:
    """Wakes those who watch a conversation in this process."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.closed = False

    @contextmanager
    def watching(self, conversation_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change, while the context lasts."""
        changed = asyncio.Event()
        self._waiting.setdefault(conversation_id, set()).add(changed)
        try:
            yield changed
        finally:
            waiting = self._waiting[conversation_id]
            waiting.discard(changed)
            if not waiting:
                del self._waiting[conversation_id]

    def wake(self, conversation_id: str) -> None:
        """Something was written or forgotten."""
        for changed in self._waiting.get(conversation_id, ()):
            changed.set()

    def close(self) -> None:
        """Wake everyone for the last time."""
        self.closed = True
        for conversation_id in list(self._waiting):
            self.wake(conversation_id)

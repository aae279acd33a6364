"""The journal in memory: the twin of `sql.py` for tests and for a conversation that may be lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.events import Event
from agent.store.journal import Conflict, Lease, Taken, Watchers, hash_token, new_token
from agent.store.vault import SealedValue
from agent.store.views import CLOSED, HandOffRow, TurnRow, Views, turn_order


@dataclass
class _Kept:
    """What is kept of one conversation."""

    views: Views
    events: list[Event] = field(default_factory=list)
    leases: dict[str, tuple[Lease, float]] = field(default_factory=dict)
    """By what they are for, with the time of their end."""
    vault_key: bytes | None = None
    vault_values: list[SealedValue] = field(default_factory=list)


class MemoryJournal:
    """A Journal and VaultHome that ends with its process. `clock` gives seconds since the epoch."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._tokens: dict[str, str] = {}
        self._watchers = Watchers()

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        """See Journal."""
        kept = self._of(conversation_id)
        if len(kept.events) != expected_version:
            raise Conflict(len(kept.events))
        for event in events:
            kept.events.append(event)
            kept.views.apply(len(kept.events), event)
        self._watchers.wake(conversation_id)
        return len(kept.events)

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        """See Journal."""
        kept = self._kept.get(conversation_id)
        return kept.events[after:] if kept else []

    async def watch(self, conversation_id: str, after: int) -> AsyncIterator[Event]:
        """See Journal."""
        with self._watchers.watching(conversation_id) as changed:
            while not self._watchers.closed:
                changed.clear()
                kept = self._kept.get(conversation_id)
                events = kept.events if kept else []
                if len(events) < after:
                    return
                for event in events[after:]:
                    yield event
                    after += 1
                await changed.wait()

    async def lease(self, conversation_id: str, what: str, owner: str, ttl_secs: float) -> Lease | Taken:
        """See Journal."""
        leases = self._of(conversation_id).leases
        if what in leases:
            held, expires_at = leases[what]
            if expires_at > self._clock():
                return Taken(held.owner, expires_at)
        lease = Lease(conversation_id, what, owner, ttl_secs, new_token(), self)
        leases[what] = lease, self._clock() + ttl_secs
        return lease

    async def renew_lease(self, lease: Lease) -> bool:
        """See LeaseHome."""
        leases = self._of(lease.conversation_id).leases
        if lease.what not in leases or leases[lease.what][0] != lease:
            return False
        leases[lease.what] = lease, self._clock() + lease.ttl_secs
        return True

    async def release_lease(self, lease: Lease) -> None:
        """See LeaseHome."""
        leases = self._of(lease.conversation_id).leases
        if lease.what in leases and leases[lease.what][0] == lease:
            del leases[lease.what]

    async def forget(self, conversation_id: str) -> None:
        """See Journal."""
        self._kept.pop(conversation_id, None)
        self._tokens = {hashed: of for hashed, of in self._tokens.items() if of != conversation_id}
        self._watchers.wake(conversation_id)

    async def issue_token(self, conversation_id: str, token: str | None = None) -> str:
        """See Journal."""
        token = token or new_token()
        self._tokens[hash_token(token)] = conversation_id
        return token

    async def find_token(self, token: str) -> str | None:
        """See Journal."""
        return self._tokens.get(hash_token(token))

    async def find_session(self, session_id: str) -> str | None:
        """See Journal."""
        everyone = (kept.views.sessions for kept in self._kept.values())
        sessions = [known[session_id] for known in everyone if session_id in known]
        latest = max(sessions, key=lambda row: (row.joined_at, row.conversation_id), default=None)
        return latest.conversation_id if latest else None

    async def turn_log(self, conversation_id: str | None = None, limit: int = 100) -> list[TurnRow]:
        """See Journal."""
        chosen = [k for of, k in self._kept.items() if conversation_id in (None, of)]
        rows = sorted((row for k in chosen for row in k.views.turns.values()), key=turn_order, reverse=True)
        return rows[:limit][::-1]

    async def open_hand_offs(self) -> list[HandOffRow]:
        """See Journal."""
        rows = [row for kept in self._kept.values() for row in kept.views.hand_offs.values()]
        rows.sort(key=lambda row: (row.requested_at, row.conversation_id, row.hand_off_id))
        return [row for row in rows if row.state not in CLOSED]

    def wake(self, conversation_id: str) -> None:
        """See Home."""
        self._watchers.wake(conversation_id)

    async def close(self) -> None:
        """See Journal."""
        self._watchers.close()

    async def vault_key(self, conversation_id: str) -> bytes | None:
        """See VaultHome."""
        kept = self._kept.get(conversation_id)
        return kept.vault_key if kept else None

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        """See VaultHome."""
        kept = self._of(conversation_id)
        kept.vault_key = kept.vault_key or wrapped
        return kept.vault_key

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        """See VaultHome."""
        kept = self._kept.get(conversation_id)
        return list(kept.vault_values) if kept else []

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        """See VaultHome."""
        kept = self._of(conversation_id)
        if kept.vault_key != wrapped:
            return "forgotten"
        taken = {(v.kind, v.number) for v in kept.vault_values} | {(v.kind, v.fingerprint) for v in kept.vault_values}
        if any((v.kind, v.number) in taken or (v.kind, v.fingerprint) in taken for v in values):
            return "taken"
        kept.vault_values += values
        return "added"

    def _of(self, conversation_id: str) -> _Kept:
        kept = self._kept.get(conversation_id)
        if kept is None:
            kept = self._kept[conversation_id] = _Kept(Views(conversation_id))
        return kept

"""The vault: personal data behind tokens such as ``[EMAIL_1]``, which is all that the journal ever holds.

    VAULT_KEY --wraps--> a data key per conversation --encrypts--> values            (AES-256-GCM)

A conversation's data key is wrapped with the conversation's id as associated data, each value encrypted
with its conversation's id and token: neither can be moved elsewhere. Whoever destroys the wrapped key
has destroyed the values. Equal values are recognised by an HMAC under the data key, since a plain hash
of a telephone number can be guessed.

Choosing a token never waits, so two workers may both choose ``[EMAIL_1]`` for different values; the home
takes one of them. The other's values are kept under free numbers, and `save` raises `TokensMoved` in each
session that was given a token which has moved: no event with a wrong token is written, and protecting the
same text again gives the right tokens. Sessions of one process share what is known of a conversation, so
that this needs two workers at the same moment.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol
from weakref import WeakSet, WeakValueDictionary

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.errors import OpenlineError, ProviderError
from agent.store.keys import KEY_BYTES, VaultKeyFault, seal, unseal
from agent.store.personal import TOKEN, PersonalValue, Purpose, hidden, token_of

_KIND = re.compile(r"[A-Z]+")


class VaultLocked(OpenlineError):
    """The vault's key does not open what was locked with another one."""


class VaultForgotten(OpenlineError):
    """The conversation was forgotten: its key is destroyed, and nothing more is kept under it."""


class TokensMoved(OpenlineError):
    """Another worker was first with a number: protect the text again, what holds the old tokens is void."""

    def __init__(self) -> None:
        super().__init__("tokens of personal data have moved; protect the text again")


@dataclass(frozen=True)
class SealedValue:
    """One personal value as a home keeps it."""

    kind: str
    number: int
    fingerprint: str
    """HMAC-SHA256 of the canonical value, in hexadecimal."""
    sealed: bytes


class VaultHome(Protocol):
    """Where wrapped keys and sealed values are kept; every home of the journal is one."""

    async def vault_key(self, conversation_id: str) -> bytes | None:
        """The conversation's wrapped key."""
        ...

    async def add_vault_key(self, conversation_id: str, wrapped: bytes) -> bytes:
        """Keep the key unless there is one; the key that stands."""
        ...

    async def vault_values(self, conversation_id: str) -> list[SealedValue]:
        """Every value of the conversation."""
        ...

    async def add_vault_values(
        self, conversation_id: str, wrapped: bytes, values: Sequence[SealedValue]
    ) -> Literal["added", "taken", "forgotten"]:
        """All of the values or none.

        `taken` where a (kind, number) or a (kind, fingerprint) is there already; `forgotten` where
        `wrapped` is not, or no longer, the conversation's key.
        """
        ...


class _Values:
    """What a process knows of one conversation's personal data."""

    def __init__(self, conversation_id: str, home: VaultHome, vault_key: bytes) -> None:
        self.conversation_id = conversation_id
        self.by_token: dict[str, PersonalValue] = {}
        self.unsaved: dict[str, PersonalValue] = {}
        self.sessions: WeakSet[ConversationVault] = WeakSet()
        self._by_canonical: dict[tuple[str, str], PersonalValue] = {}
        self._last_number: dict[str, int] = {}
        self._home = home
        self._vault_key = vault_key
        self._key: bytes | None = None
        self._wrapped: bytes | None = None
        self._forgotten = False
        self._saving = asyncio.Lock()

    def protect(self, kind: str, value: str, canonical: str) -> str:
        known = self._by_canonical.get((kind, canonical))
        if known is None:
            known = PersonalValue(kind, self._last_number.get(kind, 0) + 1, value, canonical)
            self._learn(known)
            self.unsaved[known.token] = known
        return known.token

    async def save(self) -> None:
        async with self._saving:
            while unsaved := dict(self.unsaved):
                key, wrapped = await self._own_key()
                sealed = [self._seal(value, key) for value in unsaved.values()]
                outcome = await self._home.add_vault_values(self.conversation_id, wrapped, sealed)
                if outcome == "forgotten":
                    self._forget()
                elif outcome == "taken":
                    if not await self._take_over():
                        raise ProviderError("the vault's home refuses a value for no reason", retryable=False)
                else:
                    for token in unsaved:
                        del self.unsaved[token]
                    return

    async def refresh(self) -> None:
        async with self._saving:
            await self._take_over()

    async def _own_key(self) -> tuple[bytes, bytes]:
        """The data key and its wrapped form, made at the first need."""
        if self._forgotten:
            self._forget()
        if self._key is None or self._wrapped is None:
            new = seal(self._vault_key, AESGCM.generate_key(8 * KEY_BYTES), self.conversation_id.encode())
            wrapped = await self._home.add_vault_key(self.conversation_id, new)
            return self._unlock(wrapped), wrapped
        return self._key, self._wrapped

    def _unlock(self, wrapped: bytes) -> bytes:
        try:
            self._key = unseal(self._vault_key, wrapped, self.conversation_id.encode())
        except InvalidTag:
            raise VaultLocked(
                "VAULT_KEY does not open this conversation's personal data: it was locked with another key. "
                "Start with the key that was used before (VAULT_KEY, or the file vault.key in DATA_DIR)."
            ) from None
        self._wrapped = wrapped
        return self._key

    def _forget(self) -> NoReturn:
        self._forgotten, self._key = True, None
        for known in (self.by_token, self.unsaved, self._by_canonical, self._last_number):
            known.clear()
        raise VaultForgotten("the conversation was forgotten; no personal data of it is kept any more")

    async def _take_over(self) -> bool:
        """Learn what the home holds, out of whose way unsaved values move; whether there was any news."""
        wrapped = await self._home.vault_key(self.conversation_id)
        if self._forgotten or self._wrapped not in (None, wrapped):
            self._forget()
        if wrapped is None:
            return False
        key = self._key or self._unlock(wrapped)
        kept = await self._home.vault_values(self.conversation_id)
        new = [self._open(sealed, key) for sealed in kept if not self._knows(sealed)]
        if new:
            self._make_room(new)
        return bool(new)

    def _knows(self, sealed: SealedValue) -> bool:
        token = token_of(sealed.kind, sealed.number)
        return token in self.by_token and token not in self.unsaved

    def _make_room(self, new: Sequence[PersonalValue]) -> None:
        """Values that the home keeps come in; an unsaved one moves where its number or its value is kept."""
        unsaved, self.unsaved = self.unsaved, {}
        for token, value in unsaved.items():
            del self.by_token[token], self._by_canonical[value.kind, value.canonical]
        for value in new:
            self._learn(value)
        moving = []
        for token, value in unsaved.items():
            if token in self.by_token or (value.kind, value.canonical) in self._by_canonical:
                moving.append(value)
            else:
                self._learn(value)
                self.unsaved[token] = value
        moved = {v.token for v in moving if self.protect(v.kind, v.value, v.canonical) != v.token}
        for session in self.sessions:
            session.tokens_moved(moved)

    def _learn(self, value: PersonalValue) -> None:
        self.by_token[value.token] = value
        self._by_canonical[value.kind, value.canonical] = value
        self._last_number[value.kind] = max(value.number, self._last_number.get(value.kind, 0))

    def _seal(self, value: PersonalValue, key: bytes) -> SealedValue:
        content = json.dumps([value.value, value.canonical]).encode()
        sealed = seal(key, content, self._aad(value.token))
        return SealedValue(value.kind, value.number, _fingerprint(key, value), sealed)

    def _open(self, sealed: SealedValue, key: bytes) -> PersonalValue:
        try:
            content = unseal(key, sealed.sealed, self._aad(token_of(sealed.kind, sealed.number)))
        except InvalidTag:
            raise VaultLocked("a personal value of this conversation was altered in its home") from None
        value, canonical = json.loads(content)
        return PersonalValue(sealed.kind, sealed.number, value, canonical)

    def _aad(self, token: str) -> bytes:
        return f"{self.conversation_id}\0{token}".encode()


class ConversationVault:
    """One session's way to the personal data of its conversation. Only `save` and `refresh` wait."""

    def __init__(self, values: _Values) -> None:
        self._values = values
        self._given: set[str] = set()
        """Tokens that this session was given and that may still move."""
        self._moved = False
        values.sessions.add(self)

    @property
    def conversation_id(self) -> str:
        return self._values.conversation_id

    def protect(self, kind: str, value: str, canonical: str) -> str:
        """The value's token, `[KIND_n]`: one per kind and canonical value, numbered per kind.

        `kind` is capital letters only, else ValueError. `save` comes before an event with the token.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"a kind of personal data is capital letters only, not {kind!r}")
        token = self._values.protect(kind, value, canonical)
        if token in self._values.unsaved:
            self._given.add(token)
        return token

    def reveal(self, token: str, purpose: Purpose) -> str:
        """What a purpose may have of a token's value; KeyError for an unknown token."""
        return self._values.by_token[token].shown(purpose)

    def reveal_text(self, text: str, purpose: Purpose) -> str:
        """A text with every known token revealed; unknown ones stay as they are."""

        def shown(match: re.Match[str]) -> str:
            known = self._values.by_token.get(match[0])
            return known.shown(purpose) if known else match[0]

        return TOKEN.sub(shown, text)

    def hide(self, text: str) -> str:
        """A text with every known value as its token, however spaced, dashed or capitalised.

        What `reveal_text` made of a token is found again, "card ending in 1234" among it.
        """
        return hidden(text, self._values.by_token.values())

    async def save(self) -> None:
        """Keep what is new; returns when the home has it, and at once where nothing is new.

        Raises TokensMoved where a token that this session was given since its last `save` has moved (the
        values are kept, under other tokens), VaultForgotten where the conversation was forgotten, and
        VaultLocked.
        """
        await self._values.save()
        self._given &= self._values.unsaved.keys()
        moved, self._moved = self._moved, False
        if moved:
            raise TokensMoved

    async def refresh(self) -> None:
        """Learn what other workers have kept meanwhile. Raises VaultForgotten and VaultLocked."""
        await self._values.refresh()

    def tokens_moved(self, moved: Set[str]) -> None:
        """Some unsaved tokens of the conversation stand for other values from now on."""
        if not self._given.isdisjoint(moved):
            self._moved = True


class Vault:
    """The vaults of a process: one `ConversationVault` per conversation, shared by its sessions."""

    def __init__(self, home: VaultHome, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise VaultKeyFault(f"the vault's key has {len(key)} bytes instead of {KEY_BYTES}")
        self._home = home
        self._key = key
        self._known: WeakValueDictionary[str, _Values] = WeakValueDictionary()

    async def open(self, conversation_id: str) -> ConversationVault:
        """The conversation's vault for one session, loaded.

        Raises VaultLocked where the key is not the one of before.
        """
        known = self._known.get(conversation_id)
        if known is not None:
            try:
                await known.refresh()
                return ConversationVault(known)
            except VaultForgotten:
                if self._known.get(conversation_id) is known:
                    del self._known[conversation_id]
        fresh = _Values(conversation_id, self._home, self._key)
        await fresh.refresh()
        return ConversationVault(self._known.setdefault(conversation_id, fresh))


def _fingerprint(key: bytes, value: PersonalValue) -> str:
    mac_key = hmac.digest(key, b"fingerprints", "sha256")
    content = f"{value.kind}\0{value.canonical}".encode(errors="surrogatepass")
    return hmac.digest(mac_key, content, "sha256").hex()

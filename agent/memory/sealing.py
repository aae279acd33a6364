"""What the memory's tables hold of a customer: keyed hashes to look up by, and sealed values.

    VAULT_KEY --HKDF--> index key --HMAC-SHA256--> hashes of identifiers          (RFC 5869, RFC 2104)
              --HKDF--> wrapping key --wraps--> a key per customer --seals--> values      (AES-256-GCM)

Whoever destroys the customer's wrapped key has destroyed the values. A plain hash of a telephone number
can be guessed; one under a key cannot.
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.store.keys import KEY_BYTES, seal, unseal
from agent.store.vault import VaultLocked


class Sealing:
    """Hashes and seals under keys that are derived from `vault_key`, 32 bytes."""

    def __init__(self, vault_key: bytes) -> None:
        self._index_key = _derived(vault_key, b"openline memory index")
        self._wrapping_key = _derived(vault_key, b"openline memory wrapping")

    def hash(self, kind: str, canonical: str) -> str:
        """What an identifier or a fact is found by, in hexadecimal."""
        return hmac.digest(self._index_key, f"{kind}\0{canonical}".encode(errors="replace"), "sha256").hex()

    def new_key(self, customer_id: str) -> bytes:
        """A new customer's key, wrapped."""
        return seal(self._wrapping_key, AESGCM.generate_key(8 * KEY_BYTES), customer_id.encode())

    def seal(self, wrapped: bytes, text: str, bound_to: str) -> bytes:
        """The text under a customer's key; it opens only as what it is bound to."""
        return seal(self._unwrapped(wrapped, bound_to), text.encode(errors="replace"), bound_to.encode())

    def unseal(self, wrapped: bytes, sealed: bytes, bound_to: str) -> str:
        """Raises VaultLocked where the key is another one, or the value was altered or moved."""
        return _unsealed(self._unwrapped(wrapped, bound_to), sealed, bound_to).decode()

    def _unwrapped(self, wrapped: bytes, bound_to: str) -> bytes:
        customer_id = bound_to.partition("\0")[0]
        return _unsealed(self._wrapping_key, wrapped, customer_id)


def bound(customer_id: str, *names: str) -> str:
    """What a value is bound to: its customer and its place there."""
    return "\0".join((customer_id, *names))


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key)


def _unsealed(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    try:
        return unseal(key, sealed, bound_to.encode())
    except InvalidTag:
        raise VaultLocked(
            "VAULT_KEY does not open what is remembered of a customer: it was sealed with another key, or altered"
        ) from None

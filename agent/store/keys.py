"""The vault's key, and how it and the keys beneath it lock things: AES-256-GCM."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.errors import OpenlineError

KEY_BYTES = 32
_NONCE_BYTES = 12  # NIST SP 800-38D: 96 random bits


class VaultKeyFault(OpenlineError):
    """VAULT_KEY or its file is no key of 32 bytes, or is missing where it is needed."""


def load_or_make_key(data_dir: Path, configured: str | None) -> bytes:
    """The vault's key: VAULT_KEY where it is configured, else `vault.key` in `data_dir`, made at first.

    32 bytes; both are base64. Raises VaultKeyFault. Blocks: for the start only.
    """
    if configured:
        return _decoded(configured, "VAULT_KEY")
    path = data_dir / "vault.key"
    try:
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            _make_key_file(path)
        return _decoded(path.read_text(encoding="ascii", errors="replace"), str(path))
    except OSError as fault:
        raise VaultKeyFault(f"the vault's key cannot be kept in {path}: {fault.strerror or fault}") from fault


def _decoded(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise VaultKeyFault(f"{source} is not base64; make one with: openssl rand -base64 32") from None
    if len(key) != KEY_BYTES:
        raise VaultKeyFault(
            f"{source} holds {len(key)} bytes instead of {KEY_BYTES}; make one with: openssl rand -base64 32"
        )
    return key


def _make_key_file(path: Path) -> None:
    """A new key, readable by its owner only; the first of several processes wins, whole or not at all."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def seal(key: bytes, content: bytes, aad: bytes) -> bytes:
    """`content` encrypted, and bound to its associated data."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """What was sealed; raises cryptography's InvalidTag for another key, content or associated data."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)

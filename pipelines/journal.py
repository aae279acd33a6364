"""Opens the journal that the settings ask for, and the vault's key."""

from __future__ import annotations

from collections.abc import Callable

from agent.store.keys import VaultKeyFault, load_or_make_key
from agent.store.passing import Home
from agent.store.redis import RedisFront
from agent.store.shelter import Shelter
from agent.store.sql import SqlJournal
from pipelines.settings import Settings


async def open_journal(settings: Settings, *, clock: Callable[[], float]) -> Home:
    """SQL, with Redis in front where REDIS_URL is set; conversations go on from memory while SQL is gone.

    `clock` gives seconds since the epoch. Raises ProviderError where the database cannot be used.
    """
    home: Home
    home = sql = await SqlJournal.open(settings.journal_url, clock=clock)
    if settings.redis_url:
        home = await RedisFront.open(sql, settings.redis_url, clock=clock)
    return Shelter(home, clock=clock)


def vault_key(settings: Settings) -> bytes:
    """The key that wraps the keys of personal data. Raises VaultKeyFault; blocks, for the start only."""
    if settings.shares_database and settings.vault_key is None:
        raise VaultKeyFault(
            "VAULT_KEY must be set where DATABASE_URL is a database that servers share: "
            "make one with `openssl rand -base64 32` and give every server the same."
        )
    return load_or_make_key(settings.data_dir, settings.vault_key.get_secret_value() if settings.vault_key else None)

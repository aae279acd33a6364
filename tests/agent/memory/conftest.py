"""A customers' home in an empty SQLite file, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.memory.customers import Customers
from agent.memory.sealing import Sealing
from agent.store.sql import SqlJournal
from agent.store.vault import Vault
from tests.agent.store.conftest import Clock

KEY = b"k" * 32


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path, clock: Clock) -> AsyncIterator[SqlJournal]:
    journal = await SqlJournal.open(f"sqlite:///{tmp_path / 'openline.db'}", clock=clock, poll_secs=0.01)
    yield journal
    await journal.close()


@pytest.fixture
def vaults(journal: SqlJournal) -> Vault:
    return Vault(journal, KEY)


@pytest.fixture
async def customers(journal: SqlJournal) -> Customers:
    return await Customers.open(journal.database, Sealing(KEY))


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[[], bytes]:
    """Everything in the database's files, the write-ahead log among them."""
    return lambda: b"".join(path.read_bytes() for path in sorted(tmp_path.glob("openline.db*")))

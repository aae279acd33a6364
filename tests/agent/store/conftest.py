"""The homes of the journal, each held to the same contract."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from agent.store.memory import MemoryJournal
from agent.store.sql import SqlJournal

Home = MemoryJournal | SqlJournal
POSTGRES = os.environ.get("OPENLINE_TEST_POSTGRES", "")


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of an empty SQLite database."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[[], bytes]:
    """Reads everything in the database's files, the write-ahead log among them."""
    return lambda: b"".join(path.read_bytes() for path in sorted(tmp_path.glob("journal.db*")))


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        *(["postgres"] if POSTGRES else []),
    ]
)
async def home(request: pytest.FixtureRequest, database: str, clock: Clock) -> AsyncIterator[Home]:
    """A home; one in Postgres may hold other conversations as well."""
    made: Home
    if request.param == "memory":
        made = MemoryJournal(clock=clock)
    else:
        url = POSTGRES if request.param == "postgres" else database
        made = await SqlJournal.open(url, clock=clock, poll_secs=0.01)
    yield made
    await made.close()


@pytest.fixture
def conversation_id() -> str:
    return f"conversation-{uuid4()}"


@pytest.fixture
async def sqlite_home(database: str, clock: Clock) -> AsyncIterator[SqlJournal]:
    home = await SqlJournal.open(database, clock=clock, poll_secs=0.01)
    yield home
    await home.close()

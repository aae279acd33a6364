"""The homes of the journal, each held to the same contract: in memory, in SQL, and with Redis in front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from agent.store.database import Database
from agent.store.memory import MemoryJournal
from agent.store.passing import Home
from agent.store.redis import RedisFront
from agent.store.sql import SqlJournal
from tests.servers import PostgresServer, RedisServer, running

HOMES = ["memory", "sqlite", "postgres", "sqlite+redis", "postgres+redis"]
Another = Callable[[], Awaitable[Home]]
"""Opens the same home once more, as another worker does."""


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of an empty SQLite database."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[[], bytes]:
    """Reads everything in the database's files, the write-ahead log among them."""
    return lambda: b"".join(path.read_bytes() for path in sorted(tmp_path.glob("journal.db*")))


@pytest.fixture(params=HOMES)
def kind(request: pytest.FixtureRequest) -> str:
    home: str = request.param
    return home


@pytest.fixture
def kept(kind: str) -> None:
    """For what only a home can show that several workers share."""
    if kind == "memory":
        pytest.skip("memory is no home of several workers")


@pytest.fixture
def home_url(kind: str, database: str, request: pytest.FixtureRequest) -> str:
    """Where the home's SQL is; Postgres is shared by the whole run and may hold other conversations."""
    if kind.startswith("postgres"):
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.url
    return database


@pytest.fixture
def redis_url(kind: str, request: pytest.FixtureRequest) -> str:
    if not kind.endswith("redis"):
        return ""
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture
async def another(kind: str, home_url: str, redis_url: str, clock: Clock) -> AsyncIterator[Another]:
    async with AsyncExitStack() as stack:

        async def opened() -> Home:
            home: Home
            if kind == "memory":
                home = MemoryJournal(clock=clock)
            else:
                home = sql = await SqlJournal.open(home_url, clock=clock, poll_secs=0.01)
                if redis_url:
                    home = await RedisFront.open(sql, redis_url, clock=clock, retry_secs=0.01)
            stack.push_async_callback(home.close)
            return home

        yield opened


@pytest.fixture
async def home(another: Another) -> Home:
    return await another()


_BROKEN = {
    "sqlite": ["CREATE TRIGGER broken BEFORE DELETE ON events BEGIN SELECT RAISE(FAIL, 'disk'); END"],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''disk''; END' LANGUAGE plpgsql",
        "CREATE TRIGGER broken BEFORE DELETE ON events EXECUTE FUNCTION broken()",
    ],
}


@pytest.fixture
async def broken_deletes(kept: None, home: Home, home_url: str) -> AsyncIterator[None]:
    """The home's disk fails where events are deleted."""
    database = Database(home_url)
    async with database.engine.begin() as connection:
        for statement in _BROKEN[database.dialect]:
            await connection.exec_driver_sql(statement)
    yield
    async with database.engine.begin() as connection:
        of_table = " ON events" if database.shared else ""
        await connection.exec_driver_sql(f"DROP TRIGGER broken{of_table}")
    await database.close()


@pytest.fixture
def conversation_id() -> str:
    return f"conversation-{uuid4()}"


@pytest.fixture
async def sqlite_home(database: str, clock: Clock) -> AsyncIterator[SqlJournal]:
    home = await SqlJournal.open(database, clock=clock, poll_secs=0.01)
    yield home
    await home.close()

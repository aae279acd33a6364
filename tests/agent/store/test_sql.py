"""What holds for the journal in SQL alone: its files, its URL, other processes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from agent.errors import ProviderError
from agent.events import HandOffMoved, SessionJoined, UserSaid
from agent.store import database as db
from agent.store.database import database_url
from agent.store.journal import Conflict
from agent.store.sql import SqlJournal
from agent.store.tables import TABLES
from agent.store.vault import Vault

PLANTED = b"sunflower"
"""Stands in what is forgotten, in clear."""
KEY = bytes(range(32))

OnDisk = Callable[[], bytes]


def said(text: str) -> UserSaid:
    return UserSaid(text=text, at=1.0, turn_id="t1", session_id="s1")


async def test_a_journal_is_there_after_a_restart(database: str, clock: Any) -> None:
    first = await SqlJournal.open(database, clock=clock)
    await first.append("c", 0, [said("hello")])
    token = await first.issue_token("c")
    await first.close()
    second = await SqlJournal.open(database, clock=clock)
    assert await second.read("c") == [said("hello")]
    assert await second.find_token(token) == "c"
    assert (await second.turn_log("c"))[0].user_text == "hello"
    await second.close()


async def test_another_process_sees_what_is_written(database: str, sqlite_home: SqlJournal, clock: Any) -> None:
    other = await SqlJournal.open(database, clock=clock, poll_secs=0.01)
    stream = other.watch("c", 0)
    coming = asyncio.create_task(anext(stream))
    async with asyncio.timeout(10):
        await sqlite_home.append("c", 0, [said("from elsewhere")])
        assert await coming == said("from elsewhere")
        await sqlite_home.forget("c")
        assert [event async for event in stream] == []
    await other.close()


async def test_a_watcher_of_the_same_process_is_told_at_once(database: str, clock: Any) -> None:
    home = await SqlJournal.open(database, clock=clock, poll_secs=3600)
    stream = home.watch("c", 0)
    async with asyncio.timeout(10):
        for version in range(3):
            coming = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.01)
            await home.append("c", version, [said(str(version))])
            assert await coming == said(str(version))
        coming = asyncio.ensure_future(anext(stream, None))
        await home.forget("c")
        assert await coming is None
    await home.close()


async def test_two_processes_that_race_write_each_version_once(database: str, clock: Any) -> None:
    homes = await asyncio.gather(*(SqlJournal.open(database, clock=clock) for _ in range(3)))

    async def write(home: SqlJournal, name: str) -> None:
        version, written = 0, 0
        while written < 10:
            try:
                version = await home.append("c", version, [said(f"{name}{written}")])
                written += 1
            except Conflict as conflict:
                version = conflict.actual_version

    await asyncio.gather(*(write(home, name) for home, name in zip(homes, "xyz", strict=True)))
    spoken = [event.text for event in await homes[0].read("c") if isinstance(event, UserSaid)]
    for name in "xyz":
        assert [text for text in spoken if text[0] == name] == [f"{name}{n}" for n in range(10)]
    assert len(spoken) == 30
    for home in homes:
        await home.close()


async def test_the_database_holds_no_token_of_a_customer(on_disk: OnDisk, sqlite_home: SqlJournal) -> None:
    token = await sqlite_home.issue_token("c")
    assert await sqlite_home.find_token(token) == "c"
    assert b"customer_tokens" in on_disk()
    assert token.encode() not in on_disk()


async def test_a_forgotten_conversation_is_in_no_file(on_disk: OnDisk, sqlite_home: SqlJournal) -> None:
    word = PLANTED.decode()
    vault = await Vault(sqlite_home, KEY).open(f"c-{word}")
    vault.protect("EMAIL", f"{word}@example.com", f"{word}@example.com")
    await vault.save()
    await sqlite_home.append(
        f"c-{word}",
        0,
        [
            SessionJoined(channel="phone", at=1.0, session_id=f"s-{word}"),
            *(said(f"{word} {n} " + "and so on " * 200) for n in range(50)),
            HandOffMoved(hand_off_id="h", state="requested", brief=word, reason=word, at=2.0),
        ],
    )
    await sqlite_home.append("kept", 0, [said("a tulip")])
    await sqlite_home.lease(f"c-{word}", word, word, 30)
    await sqlite_home.issue_token(f"c-{word}")
    sealed = (await sqlite_home.vault_values(f"c-{word}"))[0].sealed
    wrapped = await sqlite_home.vault_key(f"c-{word}")
    assert wrapped
    for planted in (PLANTED, sealed, wrapped):
        assert planted in on_disk()

    await sqlite_home.forget(f"c-{word}")

    for planted in (PLANTED, sealed, wrapped):
        assert planted not in on_disk()
    assert b"a tulip" in on_disk()


async def test_an_append_stands_whole_or_not_at_all(tmp_path: Path, sqlite_home: SqlJournal) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as fault:
        fault.execute("CREATE TRIGGER bad BEFORE INSERT ON hand_offs BEGIN SELECT RAISE(FAIL, 'disk'); END")
    moved = HandOffMoved(hand_off_id="h", state="requested", at=2.0)
    with pytest.raises(Exception, match="disk"):
        await sqlite_home.append("c", 0, [said("hello"), moved])
    assert await sqlite_home.read("c") == []
    assert await sqlite_home.turn_log("c") == []
    assert await sqlite_home.append("c", 0, [said("hello")]) == 1


async def test_sqlite_is_set_up_for_a_server(sqlite_home: SqlJournal) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "secure_delete": 1}
    async with sqlite_home.database.engine.connect() as connection:
        found = {n: (await connection.exec_driver_sql(f"PRAGMA {n}")).scalar_one() for n in wanted}
        assert found == wanted
        busy = await connection.exec_driver_sql("PRAGMA busy_timeout")
        assert busy.scalar_one() == db.BUSY_TIMEOUT_MS


async def test_a_reader_who_is_cancelled_leaves_the_home_working(sqlite_home: SqlJournal) -> None:
    await sqlite_home.append("c", 0, [said("hello")] * 300)
    for hops in range(40):
        reading = asyncio.create_task(sqlite_home.read("c"))
        for _ in range(hops):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert len(await sqlite_home.read("c")) == 300
    assert await sqlite_home.append("c", 300, [said("and on")]) == 301


async def test_a_database_of_another_schema_is_refused(tmp_path: Path, database: str, clock: Any) -> None:
    await (await SqlJournal.open(database, clock=clock)).close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(ProviderError, match="schema 99") as fault:
        await SqlJournal.open(database, clock=clock)
    assert not fault.value.retryable


async def test_a_file_that_is_no_database_is_a_clear_fault(tmp_path: Path, database: str, clock: Any) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(ProviderError, match="DatabaseError"):
        await SqlJournal.open(database, clock=clock)


async def test_a_fault_names_no_value(tmp_path: Path, sqlite_home: SqlJournal) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as fault:
        fault.execute("CREATE TRIGGER bad BEFORE INSERT ON turn_log BEGIN SELECT RAISE(FAIL, 'disk'); END")
    with pytest.raises(Exception, match="disk") as raised:
        await sqlite_home.append("c", 0, [said("a secret word")])
    assert "secret" not in str(raised.value)


async def test_a_missing_table_is_a_provider_error(tmp_path: Path, sqlite_home: SqlJournal) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as fault:
        fault.execute("DROP TABLE turn_log")
    with pytest.raises(ProviderError, match="OperationalError"):
        await sqlite_home.append("c", 0, [said("hello")])
    assert await sqlite_home.read("c") == []


async def test_folders_of_the_database_are_made(tmp_path: Path, clock: Any) -> None:
    home = await SqlJournal.open(f"sqlite:///{tmp_path}/new/folder/journal.db", clock=clock)
    await home.close()
    assert (tmp_path / "new/folder/journal.db").exists()


@pytest.mark.parametrize(
    ("url", "driven"),
    [
        ("postgres://u:p@host/name", "postgresql+asyncpg://u:p@host/name"),
        ("postgresql://u:p@host:5432/name", "postgresql+asyncpg://u:p@host:5432/name"),
        ("postgresql+psycopg2://u@host/name", "postgresql+asyncpg://u@host/name"),
        ("postgres://u@host/name?sslmode=require", "postgresql+asyncpg://u@host/name?ssl=require"),
        ("sqlite:///var/journal.db", "sqlite+aiosqlite:///var/journal.db"),
        ("sqlite:////data/journal.db", "sqlite+aiosqlite:////data/journal.db"),
        ("sqlite+aiosqlite:///var/journal.db", "sqlite+aiosqlite:///var/journal.db"),
    ],
)
def test_a_url_gets_the_driver_that_is_used(url: str, driven: str) -> None:
    assert database_url(url).render_as_string(hide_password=False) == driven


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://root@host/name", "for mysql"),
        ("journal.db", "no URL"),
        ("", "no URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_clear_fault(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        database_url(url)


def test_the_tables_can_be_written_for_postgres() -> None:
    for table in TABLES.sorted_tables:
        assert str(CreateTable(table).compile(dialect=postgresql.dialect()))

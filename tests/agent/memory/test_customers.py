"""The customers' home: kept under keys, found by claims, merged, gone when removed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.memory.customers import Customers
from agent.memory.facts import Fact
from agent.memory.identity import Claim
from agent.memory.records import Noted
from agent.memory.sealing import Sealing, bound
from agent.memory.tables import CUSTOMERS, FACTS, IDENTIFIERS, TABLES
from agent.store.database import Database
from agent.store.sql import SqlJournal
from agent.store.vault import VaultLocked

PHONE = Claim("phone", "+12125550100", "+12125550100", vouched=True)
EMAIL = Claim("email", "anna@example.com", "anna@example.com")
NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[3]


def fact(name: str, value: str, at: float = NOW, conversation_id: str = "one") -> Fact:
    return Fact(name, value, conversation_id, "t", at)


async def only(customers: Customers) -> str:
    (customer_id,) = await customers.everyone()
    return customer_id


async def test_the_migrations_make_the_tables_that_the_code_knows(customers: Customers, journal: SqlJournal) -> None:
    def differences(connection: object) -> list[object]:
        def ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
            return kind != "table" or name in TABLES.tables

        context = MigrationContext.configure(connection, opts={"include_object": ours})  # type: ignore[arg-type]
        return compare_metadata(context, TABLES)

    async def work(connection: AsyncConnection) -> list[object]:
        return await connection.run_sync(differences)

    assert await journal.database.write(work) == []


OPEN = """
import asyncio, sys
from agent.memory.customers import Customers
from agent.memory.sealing import Sealing
from agent.store.sql import SqlJournal

async def main():
    journal = await SqlJournal.open(sys.argv[1], clock=lambda: 1.0)
    print(await (await Customers.open(journal.database, Sealing(b"k" * 32))).everyone())
    await journal.close()

sys.stdin.readline()
asyncio.run(main())
"""


def test_processes_that_start_at_once_on_a_new_file_all_succeed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, f"sqlite:///{tmp_path / 'new.db'}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    starting = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for process in starting:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate() for process in starting]
    assert [(p.returncode, out, err) for p, (out, err) in zip(starting, told, strict=True)] == [(0, "[]\n", "")] * 4


async def test_nothing_stands_in_the_file_as_it_was_said(customers: Customers, on_disk: Callable[[], bytes]) -> None:
    facts = [fact("name", "Anna Schmidt"), fact("order_number", "12345")]
    await customers.note(Noted("one", [PHONE, EMAIL], facts, [EMAIL]), NOW)
    (anna,) = await customers.load(await customers.everyone(), NOW)
    assert set(anna.identifiers) == {("phone", PHONE.value), ("email", EMAIL.value)}
    assert {(f.name, f.value, f.conversation_id, f.turn_id) for f in anna.facts} == {
        ("name", "Anna Schmidt", "one", "t"), ("order_number", "12345", "one", "t"),
    }  # fmt: skip
    stored = on_disk()
    assert not any(value in stored for value in (b"anna", b"Anna", b"Schmidt", b"12345", b"2125550100"))


async def test_a_fact_said_again_has_its_later_source_and_an_older_one_changes_nothing(customers: Customers) -> None:
    for at, conversation_id in ((NOW, "one"), (NOW + 9, "two"), (NOW + 5, "late")):
        await customers.note(Noted(conversation_id, [EMAIL], [fact("name", "Anna", at, conversation_id)]), NOW)
        known = (await customers.find("", [EMAIL]))[0]
        await customers.note(Noted(conversation_id, [], customer_id=known, same_as=await customers.everyone()), NOW)
    (anna,) = await customers.load(await customers.everyone(), NOW)
    assert [(f.value, f.conversation_id) for f in anna.facts] == [("Anna", "two")]


async def test_faded_facts_are_deleted_and_prove_nothing(customers: Customers) -> None:
    await customers.note(Noted("one", [EMAIL], [fact("order_number", "12345")]), NOW)
    later = NOW + 361 * 86_400
    said = {"order_number": ["12345"]}
    assert [p.remembers for p in await customers.holding([EMAIL], said, "two", NOW)] == [{("order_number", "12345")}]
    assert [p.remembers for p in await customers.holding([EMAIL], said, "two", later)] == [frozenset()]
    await customers.note(Noted("one", [EMAIL]), later)
    assert (await customers.traces("", [EMAIL])).facts == 0


async def test_who_only_claims_to_be_somebody_is_another_customer(customers: Customers) -> None:
    await customers.note(Noted("one", [PHONE], [fact("name", "Anna")]), NOW)
    await customers.note(Noted("two", [PHONE], [fact("name", "Bob", conversation_id="two")]), NOW)
    kept = await customers.load(await customers.everyone(), NOW)
    assert sorted(c.facts[0].value for c in kept) == ["Anna", "Bob"]


async def test_a_conversation_that_proves_two_to_be_one_merges_them(customers: Customers) -> None:
    await customers.note(Noted("call", [PHONE], [fact("name", "Ann", NOW, "call")]), NOW)
    by_phone = await only(customers)
    await customers.note(Noted("chat", [EMAIL], [fact("name", "Anna", NOW + 1, "chat")]), NOW)
    (by_email,) = set(await customers.everyone()) - {by_phone}
    await customers.note(Noted("third", [PHONE, EMAIL], customer_id=by_phone, same_as=[by_email]), NOW)
    (anna,) = await customers.load(await customers.everyone(), NOW)
    assert anna.customer_id == by_phone
    assert (anna.facts[0].value, sorted(anna.conversations)) == ("Anna", ["call", "chat", "third"])
    assert {kind for kind, _ in anna.identifiers} == {"phone", "email"}
    assert await customers.note(Noted("fourth", [], customer_id=by_email), NOW)
    assert sorted((await customers.load([by_phone], NOW))[0].conversations) == ["call", "chat", "fourth", "third"]


async def test_what_was_only_said_is_not_vouched_for_until_it_is(customers: Customers) -> None:
    said = Claim("phone", PHONE.value, PHONE.canonical)
    await customers.note(Noted("one", [said]), NOW)
    assert [p.vouched for p in await customers.holding([PHONE], {}, "two", NOW)] == [frozenset()]
    await customers.note(Noted("one", [PHONE]), NOW)
    await customers.note(Noted("one", [said]), NOW)
    assert [p.vouched for p in await customers.holding([PHONE], {}, "two", NOW)] == [{PHONE.key}]


async def test_merged_keys_are_destroyed_and_values_cannot_be_moved(customers: Customers, journal: SqlJournal) -> None:
    await customers.note(Noted("one", [PHONE]), NOW)
    await customers.note(Noted("two", [EMAIL]), NOW)
    rows = await journal.database.select(select(CUSTOMERS))
    held = await journal.database.select(select(IDENTIFIERS))
    sealing, first, other = Sealing(b"k" * 32), rows[0], rows[1]
    value = next(row for row in held if row.customer_id == first.customer_id)
    assert sealing.unseal(first.wrapped_key, value.sealed, bound(first.customer_id, value.hash))
    with pytest.raises(VaultLocked):
        sealing.unseal(other.wrapped_key, value.sealed, bound(other.customer_id, value.hash))
    with pytest.raises(VaultLocked):
        Sealing(b"x" * 32).unseal(first.wrapped_key, value.sealed, bound(first.customer_id, value.hash))
    await customers.note(Noted("two", [], customer_id=first.customer_id), NOW)
    keys = {row.customer_id: row.wrapped_key for row in await journal.database.select(select(CUSTOMERS))}
    assert keys == {first.customer_id: first.wrapped_key, other.customer_id: None}


async def test_two_workers_that_note_at_once_lose_nothing(customers: Customers, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'openline.db'}")
    other = Customers(database, Sealing(b"k" * 32))
    homes = [customers, other] * 10
    await asyncio.gather(
        *(
            home.note(Noted("one", [EMAIL], [fact("card_number", str(n % 5), NOW + n)]), NOW)
            for n, home in enumerate(homes)
        )
    )
    (anna,) = await customers.load(await customers.everyone(), NOW)
    assert [f.value for f in anna.facts] == ["4", "3", "2", "1", "0"]
    await database.close()


async def test_of_what_was_removed_no_byte_is_left(
    customers: Customers, journal: SqlJournal, on_disk: Callable[[], bytes]
) -> None:
    await customers.note(Noted("one", [PHONE, EMAIL], [fact("name", "Anna")], [EMAIL]), NOW)
    held = await journal.database.select(select(IDENTIFIERS))
    (kept,) = await journal.database.select(select(FACTS))
    marks = [kept.sealed, *(row.sealed for row in held), *(row.hash.encode() for row in held)]
    assert all(mark in on_disk() for mark in marks)
    traces = await customers.traces("", [EMAIL])
    assert (len(traces.customer_ids), traces.identifiers, traces.facts, traces.conversation_ids) == (1, 2, 1, ["one"])
    await customers.close_off(traces.conversation_ids, NOW)
    await customers.remove(traces)
    assert not any(mark in on_disk() for mark in marks)
    assert (await customers.traces("", [PHONE, EMAIL])).customer_ids == []


async def test_nothing_comes_back_of_who_was_erased(customers: Customers) -> None:
    await customers.note(Noted("one", [EMAIL], [fact("name", "Anna")]), NOW)
    anna = await only(customers)
    traces = await customers.traces(anna, [])
    await customers.close_off(traces.conversation_ids, NOW)
    assert not await customers.note(Noted("one", [EMAIL], [fact("name", "Anna")]), NOW)
    await customers.remove(traces)
    assert not await customers.note(Noted("two", [EMAIL], customer_id=anna), NOW)
    assert await customers.everyone() == [] and await customers.erased(["one", "two"]) == {"one"}


async def test_a_conversation_that_speaks_of_an_address_is_found_by_it(customers: Customers) -> None:
    bob = Claim("email", "bob@example.com", "bob@example.com")
    await customers.note(Noted("one", [EMAIL], [], [EMAIL, bob]), NOW)
    await customers.note(Noted("anonymous", [], [], [bob]), NOW)
    traces = await customers.traces("", [bob])
    assert (traces.customer_ids, sorted(traces.conversation_ids)) == ([], ["anonymous", "one"])

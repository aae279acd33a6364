"""Personal data: what is kept, who may see what, and what happens when two are first."""

from __future__ import annotations

import asyncio
import base64
import secrets
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.keys import VaultKeyFault, load_or_make_key
from agent.store.memory import MemoryJournal
from agent.store.personal import Purpose, neutralise
from agent.store.sql import SqlJournal
from agent.store.vault import (
    ConversationVault,
    SealedValue,
    TokensMoved,
    Vault,
    VaultForgotten,
    VaultLocked,
)

KEY = bytes(range(32))
EMAIL = "Jane.Doe@example.com"
CARD = "4111 1111 1111 1111"
NOT_TOOLS: tuple[Purpose, ...] = ("speech", "text", "desk")


@pytest.fixture
async def vault(clock: Any) -> AsyncIterator[ConversationVault]:
    yield await Vault(MemoryJournal(clock=clock), KEY).open("c")


def email(vault: ConversationVault, name: str) -> str:
    return vault.protect("EMAIL", f"{name}@example.com", f"{name}@example.com")


# Tokens


async def test_one_canonical_value_is_one_token(vault: ConversationVault) -> None:
    assert vault.protect("PHONE", "1234-5678", "12345678") == "[PHONE_1]"
    assert vault.protect("PHONE", "12345678", "12345678") == "[PHONE_1]"
    assert vault.protect("PHONE", "8765-4321", "87654321") == "[PHONE_2]"
    assert vault.protect("ACCOUNT", "12345678", "12345678") == "[ACCOUNT_1]"


@pytest.mark.parametrize("kind", ["", "email", "E-MAIL", "EMAIL_1", "[EMAIL", "ÄMAIL"])
async def test_a_kind_is_capital_letters(vault: ConversationVault, kind: str) -> None:
    with pytest.raises(ValueError, match="capital letters"):
        vault.protect(kind, "a", "a")


async def test_values_outlive_the_process(home: Any, conversation_id: str) -> None:
    before = await Vault(home, KEY).open(conversation_id)
    tokens = [email(before, "jane"), before.protect("NAME", "Zoë 🙂", "zoë 🙂"), email(before, "joe")]
    await before.save()
    after = await Vault(home, KEY).open(conversation_id)
    shown = after.reveal_text(" ".join(tokens), "tool")
    assert shown == "jane@example.com Zoë 🙂 joe@example.com"
    assert email(after, "joe") == "[EMAIL_2]"
    assert email(after, "ann") == "[EMAIL_3]"


async def test_what_was_not_saved_is_gone(home: Any, conversation_id: str) -> None:
    before = await Vault(home, KEY).open(conversation_id)
    email(before, "jane")
    after = await Vault(home, KEY).open(conversation_id)
    assert after.reveal_text("[EMAIL_1]", "tool") == "[EMAIL_1]"


async def test_conversations_share_nothing(home: Any, conversation_id: str) -> None:
    vaults = Vault(home, KEY)
    one, other = await vaults.open(conversation_id), await vaults.open(f"{conversation_id}-2")
    email(one, "jane"), email(other, "joe")
    await one.save()
    await other.save()
    assert one.reveal("[EMAIL_1]", "tool") == "jane@example.com"
    assert other.reveal("[EMAIL_1]", "tool") == "joe@example.com"
    assert await home.vault_key(conversation_id) != await home.vault_key(f"{conversation_id}-2")


async def test_sessions_of_one_process_know_the_same_at_once(home: Any, conversation_id: str) -> None:
    vaults = Vault(home, KEY)
    chat, call = await asyncio.gather(vaults.open(conversation_id), vaults.open(conversation_id))
    assert email(chat, "jane") == "[EMAIL_1]"
    assert email(call, "joe") == "[EMAIL_2]"
    assert call.reveal("[EMAIL_1]", "tool") == "jane@example.com"
    await asyncio.gather(chat.save(), call.save())
    assert len(await home.vault_values(conversation_id)) == 2


async def test_another_worker_knows_it_after_a_refresh(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane")
    await here.save()
    assert there.reveal_text("[EMAIL_1]", "tool") == "[EMAIL_1]"
    await there.refresh()
    assert there.reveal_text("[EMAIL_1]", "tool") == "jane@example.com"
    assert email(there, "joe") == "[EMAIL_2]"
    await there.save()


# Races


async def test_two_workers_never_share_a_token_for_two_values(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    assert email(here, "jane") == email(there, "joe") == "[EMAIL_1]"
    await here.save()
    with pytest.raises(TokensMoved):
        await there.save()
    assert email(there, "joe") == "[EMAIL_2]"
    await there.save()
    fresh = await Vault(home, KEY).open(conversation_id)
    assert fresh.reveal_text("[EMAIL_1] [EMAIL_2]", "tool") == "jane@example.com joe@example.com"


async def test_two_workers_with_the_same_value_agree(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane"), email(there, "jane")
    await here.save()
    await there.save()
    assert len(await home.vault_values(conversation_id)) == 1


async def test_the_same_values_in_another_order_take_the_tokens_that_are_kept(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane"), email(here, "joe")
    assert (email(there, "joe"), email(there, "jane"), email(there, "ann")) == (
        "[EMAIL_1]",
        "[EMAIL_2]",
        "[EMAIL_3]",
    )
    await here.save()
    with pytest.raises(TokensMoved):
        await there.save()
    assert (email(there, "joe"), email(there, "jane"), email(there, "ann")) == (
        "[EMAIL_2]",
        "[EMAIL_1]",
        "[EMAIL_3]",
    )


async def test_a_value_whose_number_is_free_keeps_its_token(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane")
    there.protect("PHONE", "1234-5678", "12345678")
    await here.save()
    await there.save()
    assert there.reveal_text("[EMAIL_1] [PHONE_1]", "tool") == "[EMAIL_1] 1234-5678"


async def test_the_session_that_was_given_the_token_is_told(home: Any, conversation_id: str) -> None:
    """Whichever session of a process saves first, the one whose text holds the moved token hears of it."""
    elsewhere = await Vault(home, KEY).open(conversation_id)
    vaults = Vault(home, KEY)
    chat, call = await vaults.open(conversation_id), await vaults.open(conversation_id)
    email(elsewhere, "jane"), email(chat, "joe")
    call.protect("PHONE", "1234-5678", "12345678")
    await elsewhere.save()
    await call.save()
    with pytest.raises(TokensMoved):
        await chat.save()
    assert email(chat, "joe") == "[EMAIL_2]"
    await chat.save()


async def test_a_refresh_that_moves_a_token_is_told_at_the_next_save(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane"), email(there, "joe")
    await here.save()
    await there.refresh()
    with pytest.raises(TokensMoved):
        await there.save()
    await there.save()
    assert email(there, "joe") == "[EMAIL_2]"


async def test_many_workers_end_with_one_token_per_value(home: Any, conversation_id: str) -> None:
    async def work(vault: ConversationVault, names: list[str]) -> dict[str, str]:
        while True:
            tokens = {name: email(vault, name) for name in names}
            try:
                await vault.save()
                return tokens
            except TokensMoved:
                await asyncio.sleep(0)

    workers = [await Vault(home, KEY).open(conversation_id) for _ in range(5)]
    names = [["all", f"own{n}", f"shared{n // 2}"] for n in range(5)]
    given = await asyncio.gather(*map(work, workers, names))
    fresh = await Vault(home, KEY).open(conversation_id)
    for tokens in given:
        for name, token in tokens.items():
            assert fresh.reveal(token, "tool") == f"{name}@example.com"
    assert len(await home.vault_values(conversation_id)) == 9


async def test_what_is_protected_during_a_save_is_kept_by_the_next(home: Any, conversation_id: str) -> None:
    vault = await Vault(home, KEY).open(conversation_id)
    email(vault, "jane")
    saving = asyncio.create_task(vault.save())
    await asyncio.sleep(0)
    email(vault, "joe")
    await saving
    await vault.save()
    fresh = await Vault(home, KEY).open(conversation_id)
    assert fresh.reveal_text("[EMAIL_1] [EMAIL_2]", "tool") == "jane@example.com joe@example.com"


async def test_what_is_protected_during_a_save_may_still_move(home: Any, conversation_id: str) -> None:
    here, there = [await Vault(home, KEY).open(conversation_id) for _ in range(2)]
    email(here, "jane")
    saving = asyncio.create_task(here.save())
    await asyncio.sleep(0)
    email(here, "joe")
    await saving
    await there.refresh()
    email(there, "ann")
    await there.save()
    with pytest.raises(TokensMoved):
        await here.save()
    assert email(here, "joe") == "[EMAIL_3]"


async def test_a_save_whose_answer_was_lost_is_repeated_without_harm(home: Any, conversation_id: str) -> None:
    vault = await Vault(home, KEY).open(conversation_id)
    for hops in range(30):
        email(vault, f"jane{hops}")
        saving = asyncio.create_task(vault.save())
        for _ in range(hops):
            await asyncio.sleep(0)
        saving.cancel()
        await asyncio.gather(saving, return_exceptions=True)
    await vault.save()
    fresh = await Vault(home, KEY).open(conversation_id)
    assert [fresh.reveal(f"[EMAIL_{n + 1}]", "tool") for n in range(30)] == [f"jane{n}@example.com" for n in range(30)]


# Keys


async def test_the_database_never_holds_a_value_in_clear(
    on_disk: Callable[[], bytes], sqlite_home: SqlJournal, conversation_id: str
) -> None:
    vault = await Vault(sqlite_home, KEY).open(conversation_id)
    vault.protect("EMAIL", EMAIL, EMAIL.lower())
    vault.protect("CARD", CARD, CARD.replace(" ", ""))
    await vault.save()
    kept = on_disk()
    assert b"vault_values" in kept
    for planted in (EMAIL, EMAIL.lower(), CARD, CARD.replace(" ", ""), "Jane"):
        assert planted.encode() not in kept


async def test_another_key_does_not_open_the_vault(home: Any, conversation_id: str) -> None:
    vault = await Vault(home, KEY).open(conversation_id)
    email(vault, "jane")
    await vault.save()
    with pytest.raises(VaultLocked, match="VAULT_KEY"):
        await Vault(home, bytes(32)).open(conversation_id)


async def test_a_key_moved_to_another_conversation_does_not_open(home: Any, conversation_id: str) -> None:
    vault = await Vault(home, KEY).open(conversation_id)
    email(vault, "jane")
    await vault.save()
    wrapped = await home.vault_key(conversation_id)
    await home.add_vault_key(f"{conversation_id}-thief", wrapped)
    with pytest.raises(VaultLocked):
        await Vault(home, KEY).open(f"{conversation_id}-thief")


async def test_a_value_under_another_token_does_not_open(clock: Any) -> None:
    home = MemoryJournal(clock=clock)
    vault = await Vault(home, KEY).open("c")
    email(vault, "jane")
    await vault.save()
    wrapped, (jane,) = await home.vault_key("c"), await home.vault_values("c")
    assert wrapped
    await home.add_vault_values("c", wrapped, [SealedValue("EMAIL", 7, "other", jane.sealed)])
    with pytest.raises(VaultLocked, match="altered"):
        await Vault(home, KEY).open("c")


async def test_equal_values_of_two_conversations_look_different(home: Any, conversation_id: str) -> None:
    kept = []
    for each in (conversation_id, f"{conversation_id}-2"):
        vault = await Vault(home, KEY).open(each)
        email(vault, "jane")
        await vault.save()
        kept += await home.vault_values(each)
    assert kept[0].fingerprint != kept[1].fingerprint
    assert kept[0].sealed != kept[1].sealed


async def test_a_forgotten_vault_keeps_nothing_and_takes_nothing(home: Any, conversation_id: str) -> None:
    vaults = Vault(home, KEY)
    vault = await vaults.open(conversation_id)
    email(vault, "jane")
    await vault.save()
    email(vault, "joe")
    await home.forget(conversation_id)
    with pytest.raises(VaultForgotten):
        await vault.save()
    assert vault.reveal_text("[EMAIL_1] [EMAIL_2]", "tool") == "[EMAIL_1] [EMAIL_2]"
    email(vault, "ann")
    with pytest.raises(VaultForgotten):
        await vault.save()
    assert await home.vault_key(conversation_id) is None
    assert await home.vault_values(conversation_id) == []


async def test_a_conversation_that_begins_again_has_another_key(home: Any, conversation_id: str) -> None:
    vaults = Vault(home, KEY)
    old = await vaults.open(conversation_id)
    email(old, "jane")
    await old.save()
    before = await home.vault_key(conversation_id)
    await home.forget(conversation_id)
    new = await vaults.open(conversation_id)
    assert email(new, "joe") == "[EMAIL_1]"
    await new.save()
    assert await home.vault_key(conversation_id) not in (None, before)
    email(old, "ann")
    with pytest.raises(VaultForgotten):
        await old.save()
    again = await vaults.open(conversation_id)
    assert again.reveal_text("[EMAIL_1] [EMAIL_2]", "tool") == "joe@example.com [EMAIL_2]"


def test_the_vault_wants_a_whole_key(clock: Any) -> None:
    with pytest.raises(VaultKeyFault, match="5 bytes"):
        Vault(MemoryJournal(clock=clock), b"short")


# Who may see what


async def test_tools_see_everything(vault: ConversationVault) -> None:
    for kind, value in [("CARD", CARD), ("SSN", "123-45-6789"), ("EMAIL", EMAIL), ("PASSPORT", "C01X00T47")]:
        assert vault.reveal(vault.protect(kind, value, value.lower()), "tool") == value


@pytest.mark.parametrize("purpose", NOT_TOOLS)
@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("EMAIL", EMAIL, EMAIL),
        ("PHONE", "+1 212 555 0123", "+1 212 555 0123"),
        ("ADDRESS", "12 Elm St, Springfield", "12 Elm St, Springfield"),
        ("NAME", "Jane Doe", "Jane Doe"),
        ("CARD", CARD, "card ending in 1111"),
        ("SSN", "123-45-6789", "Social Security number ending in 6789"),
        ("IBAN", "DE89 3704 0044 0532 0130 00", "account ending in 3000"),
        ("CARD", "1234", "the card"),
        ("PASSPORT", "C01X00T47", "the passport"),
    ],
)
async def test_people_see_what_they_need(
    vault: ConversationVault, purpose: Purpose, kind: str, value: str, shown: str
) -> None:
    token = vault.protect(kind, value, value.replace(" ", "").replace("-", ""))
    assert vault.reveal(token, purpose) == shown
    assert vault.reveal_text(f"So {token}, yes?", purpose) == f"So {shown}, yes?"


async def test_unknown_tokens_stay_and_cannot_be_revealed_alone(vault: ConversationVault) -> None:
    assert vault.reveal_text("[EMAIL_1] [email_1] [X]", "tool") == "[EMAIL_1] [email_1] [X]"
    with pytest.raises(KeyError):
        vault.reveal("[EMAIL_1]", "tool")


async def test_a_value_that_looks_like_a_token_is_not_revealed_twice(vault: ConversationVault) -> None:
    vault.protect("NAME", "[EMAIL_1]", "[email_1]")
    email(vault, "jane")
    assert vault.reveal_text("[NAME_1]", "tool") == "[EMAIL_1]"


# Hiding


@pytest.mark.parametrize(
    ("kind", "value", "text", "hidden"),
    [
        ("EMAIL", EMAIL, "Mail jane.doe@EXAMPLE.com.", "Mail [EMAIL_1]."),
        ("EMAIL", EMAIL, "mary-jane.doe@example.com", "mary-jane.doe@example.com"),
        ("EMAIL", EMAIL, "jane.doe@example.com.au", "jane.doe@example.com.au"),
        ("EMAIL", EMAIL, "jane doe example com", "jane doe example com"),
        ("PHONE", "12345678", "1234-5678, 1234 5678 or 12345678.", "[PHONE_1], [PHONE_1] or [PHONE_1]."),
        ("PHONE", "12345678", "order 123456789 and 012345678", "order 123456789 and 012345678"),
        ("PHONE", "12345678", "1234, 5678", "1234, 5678"),
        ("PHONE", "+1 (212) 555-0123", "call +1 212.555.0123 now", "call [PHONE_1] now"),
        ("PHONE", "(212) 555-0123", "call (212) 555-0123 now", "call [PHONE_1] now"),
        ("CARD", CARD, "4111-1111-1111-1111", "[CARD_1]"),
        ("CARD", CARD, "your card ending in 1111 is charged", "your [CARD_1] is charged"),
        ("CARD", CARD, "your card ending in 2222", "your card ending in 2222"),
        ("ADDRESS", "12 Elm St, Springfield", "to 12 elm st springfield today", "to [ADDRESS_1] today"),
        ("ADDRESS", "12 Elm St, Springfield", "112 Elm St, Springfield", "112 Elm St, Springfield"),
        ("NAME", "Jane Doe", "thank you, JANE  DOE!", "thank you, [NAME_1]!"),
        ("NAME", "Will", "Will, I will do so", "[NAME_1], I will do so"),
        ("NAME", "will", "hello will", "hello [NAME_1]"),
        ("NAME", "Straße Groß", "die strasse gross hier", "die [NAME_1] hier"),
        ("NAME", "İpek", "hello İpek", "hello [NAME_1]"),
        ("NAME", "...", "wait ... please", "wait ... please"),
        ("NAME", "Email", "[EMAIL_1] is Email", "[EMAIL_1] is [NAME_1]"),
    ],
)
async def test_known_values_are_hidden_again(
    vault: ConversationVault, kind: str, value: str, text: str, hidden: str
) -> None:
    vault.protect(kind, value, value.lower())
    assert vault.hide(text) == hidden


async def test_the_longer_of_two_values_is_hidden(vault: ConversationVault) -> None:
    vault.protect("NAME", "Jane", "jane")
    vault.protect("NAME", "Jane Doe", "jane doe")
    assert vault.hide("Jane Doe and Jane") == "[NAME_2] and [NAME_1]"


async def test_a_long_text_with_many_values_is_hidden(vault: ConversationVault) -> None:
    for n in range(300):
        email(vault, f"person{n}")
    text = " ".join(f"person{n}@example.com" for n in range(300))
    assert vault.hide(text) == " ".join(f"[EMAIL_{n + 1}]" for n in range(300))


@pytest.mark.parametrize("purpose", NOT_TOOLS)
async def test_what_was_revealed_is_hidden_again(vault: ConversationVault, purpose: Purpose) -> None:
    values = {
        "EMAIL": EMAIL,
        "CARD": CARD,
        "PHONE": "(212) 555-0123",
        "SSN": "123-45-6789",
        "IBAN": "DE89 3704 0044 0532 0130 00",
        "ADDRESS": "12 Elm St, Springfield",
        "NAME": "O'Neil-Smith, Zoë",
    }
    text = ", then ".join(vault.protect(kind, value, value.lower()) for kind, value in values.items()) + "."
    assert vault.hide(vault.reveal_text(text, purpose)) == text


@given(st.lists(st.text(min_size=1, max_size=8), max_size=5), st.text(max_size=60))
def test_hiding_takes_any_text(values: list[str], text: str) -> None:
    vault = asyncio.run(Vault(MemoryJournal(clock=lambda: 0.0), KEY).open("c"))
    for n, value in enumerate(values):
        vault.protect(("NAME", "PHONE", "CARD", "EMAIL")[n % 4], value, value.lower())
    hidden = vault.hide(f"{text} {' '.join(values)}")
    assert vault.hide(hidden) == hidden


# What a user typed


@pytest.mark.parametrize(
    ("typed", "neutral"),
    [
        ("send it to [EMAIL_1]", "send it to (EMAIL_1)"),
        ("[[CARD_12]]", "[(CARD_12)]"),
        ("[email_1] [ EMAIL_1 ]", "(email_1) ( EMAIL_1 )"),
        ("see [1] and [the manual]", "see [1] and [the manual]"),
    ],
)
def test_what_looks_like_a_token_is_made_harmless(typed: str, neutral: str) -> None:
    assert neutralise(typed) == neutral


@given(st.text(alphabet="[]( )_AE19z", max_size=40))
def test_no_typed_text_reveals_a_value(text: str) -> None:
    vault = asyncio.run(Vault(MemoryJournal(clock=lambda: 0.0), KEY).open("c"))
    for kind in ("A", "E", "AE"):
        for n in (1, 9):
            vault.protect(kind, f"secret {n}", f"secret {n}")
    assert "secret" not in vault.reveal_text(neutralise(text), "tool")
    assert neutralise(neutralise(text)) == neutralise(text)


@pytest.mark.parametrize("piece", ["[", "[A", "[A_", "[ ", "A", "_", "A_ "])
def test_a_hostile_text_does_not_stall(piece: str) -> None:
    hostile = "[" + piece * 4000
    assert len(neutralise(hostile)) == len(hostile)


# The key's file


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    key = load_or_make_key(folder, None)
    assert len(key) == 32
    assert load_or_make_key(folder, "") == key
    assert stat.S_IMODE((folder / "vault.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["vault.key"]
    assert load_or_make_key(tmp_path / "other", None) != key


def test_of_two_processes_that_start_at_once_the_first_makes_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_first: list[bytes] = []

    def token_bytes(count: int) -> bytes:
        """While one process makes its key, another one starts and has done so."""
        monkeypatch.undo()
        of_the_first.append(load_or_make_key(tmp_path, None))
        return secrets.token_bytes(count)

    monkeypatch.setattr("agent.store.keys.secrets.token_bytes", token_bytes)
    assert [load_or_make_key(tmp_path, None)] == of_the_first
    assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_a_configured_key_wins_and_makes_no_file(tmp_path: Path, encode: Callable[[bytes], bytes]) -> None:
    assert load_or_make_key(tmp_path, encode(b"\xff" * 32).decode()) == b"\xff" * 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("configured", "words"),
    [("not base64!", "VAULT_KEY is not base64"), ("c2hvcnQ=", "VAULT_KEY holds 5"), ("ключ", "base64")],
)
def test_a_wrong_configured_key_is_a_clear_fault(tmp_path: Path, configured: str, words: str) -> None:
    with pytest.raises(VaultKeyFault, match=words) as fault:
        load_or_make_key(tmp_path, configured)
    assert configured not in str(fault.value)


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=\n", b"\xff\xfe" * 20])
def test_a_broken_key_file_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(content)
    with pytest.raises(VaultKeyFault, match=r"vault\.key"):
        load_or_make_key(tmp_path, None)
    assert path.read_bytes() == content


def test_a_folder_that_takes_no_key_is_a_clear_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VaultKeyFault, match="cannot be kept"):
        load_or_make_key(tmp_path / "file", None)

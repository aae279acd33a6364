from __future__ import annotations

import pytest

from agent.store.memory import MemoryJournal
from agent.store.vault import ConversationVault, Vault
from agent.understanding.protection import protected, protected_answer, protected_names, protected_parts


@pytest.fixture
async def vault() -> ConversationVault:
    return await Vault(MemoryJournal(clock=lambda: 0.0), bytes(range(32))).open("c")


async def test_a_name_is_a_token_and_its_spoken_form_the_same(vault: ConversationVault) -> None:
    assert protected_names("hi, my name is anna schmidt", vault) == "hi, my name is [NAME_1]"
    assert protected_names("This is Anna Schmidt speaking", vault) == "This is [NAME_1] speaking"
    assert vault.reveal("[NAME_1]", "speech") == "Anna Schmidt"


async def test_every_address_is_a_token_and_a_street_alone_is_marked_as_such(vault: ConversationVault) -> None:
    text = "from 5 Oak Street, Dover, NH 03820 to 9 Mill Lane"
    assert protected(text, vault, "US") == "from [ADDRESS_1] to [STREET_1]"


async def test_the_town_given_after_the_street_makes_one_address(vault: ConversationVault) -> None:
    street = protected("5 Oak Street", vault, "US")
    assert protected_parts("Dover, NH 03820", vault, street) == "the address is [ADDRESS_1]"
    assert vault.reveal("[ADDRESS_1]", "tool") == "5 Oak Street, Dover, NH 03820"


async def test_a_part_put_right_changes_the_part_and_not_the_whole(vault: ConversationVault) -> None:
    known = protected("5 Oak Street, Dover, NH 12346", vault, "US")
    assert protected_parts("no, the zip is 12345, not 12346", vault, known) == "no, the address is [ADDRESS_2]"
    assert vault.reveal("[ADDRESS_2]", "tool") == "5 Oak Street, Dover, NH 12345"
    assert protected_parts("where is it?", vault, known) == "where is it?"


@pytest.mark.parametrize(
    ("said", "slot_type", "wanted"),
    [
        ("it's ludwig van beethoven.", "name", "it's [NAME_1]"),
        ("To 3 Am Ring, 4020 Linz", "address", "To [ADDRESS_1]"),
        ("why do you ask?", "name", "why do you ask?"),
        ("never mind", "name", "never mind"),
    ],
)
async def test_an_answer_is_protected_as_a_whole(
    vault: ConversationVault, said: str, slot_type: str, wanted: str
) -> None:
    assert protected_answer(said, slot_type, vault) == wanted

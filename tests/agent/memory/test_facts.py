"""What is learned of a conversation, and how it fades."""

from __future__ import annotations

import pytest

from agent import events as ev
from agent.conversation import fold
from agent.loading import load_business
from agent.memory.facts import Fact, learned, own_contacts, said_name, standing, strength
from agent.store.vault import ConversationVault, Vault
from tests.conftest import LIBRARY

BUSINESS, _ = load_business(LIBRARY)
DAY = 86_400.0


@pytest.fixture
async def vault(vaults: Vault) -> ConversationVault:
    return await vaults.open("c")


def said(text: str) -> ev.UserSaid:
    return ev.UserSaid(at=1.0, turn_id="t", text=text)


def tool(status: ev.EffectStatus) -> list[ev.Event]:
    arguments = {"card_number": "2000003"}
    return [
        ev.EffectStarted(at=1.0, turn_id="t", effect_id="e", tool="fine_balance", arguments=arguments, effect="safe"),
        ev.EffectEnded(at=1.0, turn_id="t", effect_id="e", status=status),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi, my name is Anna Schmidt and I want to return a lamp", "Anna Schmidt"),
        ("my name's anna", "Anna"),
        ("my name is [NAME_1], where is my order", "[NAME_1]"),
        ("Hello, this is Maria O'Neill calling about my order", "Maria O'Neill"),
        ("I'm Jean-Luc.", "Jean-Luc"),
        ("my name is not important", None),
        ("This is ridiculous!", None),
        ("I'm German and I have a question", None),
        ("this is about order 10003", None),
        ("I am calling about my order", None),
        ("What is my name?", None),
    ],
)
def test_a_name_is_learned_where_it_is_given(text: str, name: str | None) -> None:
    assert said_name(text) == name


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("[EMAIL_1]", True),
        ("it's [EMAIL_1]", True),
        ("My e-mail address is [EMAIL_1], where is my order?", True),
        ("You can reach me at [PHONE_1]", True),
        ("I am [EMAIL_1]", True),
        ("[EMAIL_1], and the order is 10003", True),
        ("my name's Anna and my email is [EMAIL_1]", True),
        ("my wife's email is [EMAIL_1]", False),
        ("send it to [EMAIL_1] instead", False),
        ("please use [EMAIL_1] for order 10003", False),
        ("her number is [PHONE_1]", False),
        ("I got a strange message yesterday that came from an address like [EMAIL_1]", False),
    ],
)
def test_contacts_are_the_customers_own_where_they_say_so(text: str, own: bool) -> None:
    assert bool(own_contacts(text)) is own


def test_a_number_is_learned_only_when_a_tool_was_done_with_it(vault: ConversationVault) -> None:
    failed = learned(fold("c", [said("fines?"), *tool("failed")]), BUSINESS, vault)
    assert failed == [("issue", "check your fines, card number 2000003: failed")]
    done = learned(fold("c", [said("fines?"), *tool("done")]), BUSINESS, vault)
    assert ("card_number", "2000003") in done


def test_personal_values_are_tokens_and_nothing_is_learned_twice(vault: ConversationVault) -> None:
    state = fold("c", [said("my name is Anna"), ev.Promised(at=1.0, turn_id="t", text="A librarian answers.")])
    news = learned(state, BUSINESS, vault)
    assert news == [("name", "[NAME_1]"), ("promise", "A librarian answers.")]
    assert vault.reveal("[NAME_1]", "tool") == "Anna"
    for name, value in news:
        state.apply(ev.FactLearned(at=1.0, turn_id="t", name=name, value=value))
    assert learned(state, BUSINESS, vault) == []


def test_the_language_is_learned_where_the_business_has_several(vault: ConversationVault) -> None:
    both = BUSINESS.model_copy(update={"languages": ["en", "es"]})
    understood = ev.Understood(at=1.0, turn_id="t", intent=None, confidence=0.0, language="es")
    state = fold("c", [said("hola, quiero renovar mis libros"), understood])
    assert learned(state, both, vault) == [("language", "es")]
    assert learned(state, BUSINESS, vault) == []


def fact(name: str, value: str, at: float) -> Fact:
    return Fact(name, value, "c", "t", at)


def test_the_newest_wins_and_as_many_stand_as_are_kept() -> None:
    facts = [fact("name", "Ann", 1.0), fact("name", "Anna", 2.0), *(fact("issue", str(n), float(n)) for n in range(5))]
    assert [(f.name, f.value) for f in standing(facts, 10.0)] == [
        ("issue", "4"), ("issue", "3"), ("name", "Anna"), ("issue", "2"),
    ]  # fmt: skip


def test_what_is_stale_fades_after_two_half_lives() -> None:
    promise, number = fact("promise", "p", 0.0), fact("card_number", "1", 0.0)
    assert strength("promise", 0.0, 14 * DAY) == pytest.approx(0.5)
    assert standing([promise, number], 27 * DAY) == [promise, number]
    assert standing([promise, number], 29 * DAY) == [number]
    assert standing([promise, number], 361 * DAY) == []

"""The running summary: in time, in the background, with tokens for personal data, taken once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from agent import events as ev
from agent.conversation import Conversation, fold
from agent.dialogue.summary import Summariser, SummaryPolicy, due, extract
from agent.dialogue.window import Message
from agent.errors import ProviderError
from agent.events import Event
from agent.live import LiveConversation
from agent.safety.detectors import find_personal
from agent.store.memory import MemoryJournal
from agent.store.vault import ConversationVault, Vault

POLICY = SummaryPolicy.for_window(6)


def turn(number: int, text: str = "", agent: str = "Noted.") -> list[Event]:
    at: Any = {"at": 1.0, "turn_id": str(number), "session_id": "s"}
    said = ev.UserSaid(text=text or f"This is about the number {1000 + number}.", **at)
    return [said, ev.AgentSaid(text=agent, **at)]


def turns(count: int) -> list[Event]:
    return [event for number in range(1, count + 1) for event in turn(number)]


def protect(text: str, vault: ConversationVault) -> str:
    for found in reversed(find_personal(text)):
        text = f"{text[: found.start]}{vault.protect(found.kind, found.value, found.canonical)}{text[found.end :]}"
    return text


class Model:
    """Says what it is told to, once `go` is set."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer
        self.asked: list[Sequence[Message]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def complete(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.asked.append(messages)
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class House:
    """One journal and one vault, which any number of workers open."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(clock=lambda: 1.0)
        self.key = secrets.token_bytes(32)

    async def open(self, session: str = "s") -> LiveConversation:
        vault = await Vault(self.journal, self.key).open("c")
        return await LiveConversation.open(
            "c", journal=self.journal, vault=vault, session_id=session, clock=lambda: 1.0
        )

    async def summaries(self) -> list[ev.SummaryMade]:
        return [e for e in await self.journal.read("c") if isinstance(e, ev.SummaryMade)]


def names(conversation: Conversation) -> list[str]:
    return [turn.turn_id for turn in due(conversation, POLICY)]


def test_a_summary_is_due_once_enough_turns_stand_outside() -> None:
    assert [names(fold("c", turns(n))) for n in (0, 1, 4)] == [[], [], []]
    assert names(fold("c", turns(5))) == ["1", "2"]
    made = ev.SummaryMade(at=1.0, text="so far", up_to_turn_id="2")
    assert names(fold("c", [*turns(6), made])) == []
    assert names(fold("c", [*turns(7), made])) == ["3", "4"]


def test_a_long_conversation_without_a_summary_gives_its_newest_part() -> None:
    given = names(fold("c", turns(200)))
    assert len(given) == POLICY.most_turns and given[-1] == "197"


@pytest.mark.parametrize("window", range(2, 13))
def test_no_turn_is_in_neither_window_nor_summary(window: int) -> None:
    policy = SummaryPolicy.for_window(window)
    conversation = fold("c", [])
    for number in range(1, 60):
        for event in turn(number):
            conversation.apply(event)
        taken = due(conversation, policy)
        if taken:
            conversation.apply(ev.SummaryMade(at=1.0, text="so far", up_to_turn_id=taken[-1].turn_id))
        shown_next = {t.turn_id for t in conversation.turns[-(window - 1) :]}
        summarised = int(conversation.summary_up_to or 0)
        assert {str(n) for n in range(summarised + 1, number + 1)} <= shown_next


def test_extracted_lines_are_the_most_telling_ones_in_their_order() -> None:
    said = ["Hi there!", "My kettle from order 10003 leaks water on the table.", "okay", "Please write to [EMAIL_1]."]
    events = [event for number, text in enumerate(said) for event in turn(number, text)]
    text = extract("", fold("c", events).turns, 110)
    assert text.splitlines() == [f"Customer: {said[1]}", f"Customer: {said[3]}"]


def test_extraction_goes_on_from_the_summary_so_far_and_never_outgrows_its_limit() -> None:
    summary = ""
    for number in range(200):
        summary = extract(summary, fold("c", turn(number, f"Question {number} about {'tea ' * 30}")).turns, 300)
        assert len(summary) <= 300
    assert "Question 0" in extract("Customer: Question 0", fold("c", turn(1, "yes")).turns, 300)


async def test_a_model_writes_it_behind_the_reply() -> None:
    house, model = House(), Model("The customer asked about 1001 and 1002.")
    live, summariser = await house.open(), Summariser(POLICY, protect, model)
    model.go.clear()
    await live.record(*turns(5))
    summariser.start(live)
    summariser.start(live)
    await live.record(*turn(6))
    assert live.state.summary == ""
    model.go.set()
    await summariser.finish(timeout_secs=5)
    assert (live.state.summary, live.state.summary_up_to) == ("The customer asked about 1001 and 1002.", "2")
    assert len(model.asked) == 1


async def test_what_a_model_is_asked_holds_the_summary_so_far_and_only_what_fell_out() -> None:
    house, model = House(), Model("Then about 1003.")
    live, summariser = await house.open(), Summariser(POLICY, protect, model)
    await live.record(*turns(7), ev.SummaryMade(at=1.0, text="Asked about 1001.", up_to_turn_id="2"))
    summariser.start(live)
    await summariser.finish(timeout_secs=5)
    system, asked = model.asked[0]
    assert "1001" not in system["content"]
    assert all(word in asked["content"] for word in ("Asked about 1001.", "1003", "1004"))
    assert "1002" not in asked["content"] and "1005" not in asked["content"]


async def test_personal_data_that_a_model_writes_out_becomes_its_token_again() -> None:
    house = House()
    live = await house.open()
    token = live.vault.protect("EMAIL", "ann@example.com", "ann@example.com")
    await live.record(*turn(0, f"Write to {token}."), *turns(5))
    summariser = Summariser(POLICY, protect, Model("Wants a mail to Ann@example.com."))
    summariser.start(live)
    await summariser.finish(timeout_secs=5)
    assert live.state.summary == f"Wants a mail to {token}."


@pytest.mark.parametrize(
    "answer",
    [
        ProviderError("HTTP 500"),
        "",
        " \n ",
        "The customer's order is 99999.",
        "The customer is [NAME_7].",
        "Write to bob@example.com.",
    ],
)
async def test_where_a_model_fails_or_makes_something_up_the_customers_words_stand(answer: str | Exception) -> None:
    house = House()
    live, summariser = await house.open(), Summariser(POLICY, protect, Model(answer))
    await live.record(*turns(5))
    summariser.start(live)
    await summariser.finish(timeout_secs=5)
    assert live.state.summary.splitlines() == [f"Customer: This is about the number {n}." for n in (1001, 1002)]


async def test_a_model_that_hangs_is_given_up() -> None:
    house, model = House(), Model("never")
    model.go.clear()
    policy = SummaryPolicy(timeout_secs=0.01)
    live, summariser = await house.open(), Summariser(policy, protect, model)
    await live.record(*turns(5))
    summariser.start(live)
    await summariser.finish(timeout_secs=5)
    assert "1001" in live.state.summary


async def test_a_summary_that_two_workers_make_at_once_is_taken_once() -> None:
    house = House()
    await (await house.open()).record(*turns(5))
    workers = [await house.open(f"s{n}") for n in range(3)]
    models = [Model(f"Summary {n}.") for n in range(3)]
    summarisers = [Summariser(POLICY, protect, model) for model in models]
    for model, live, summariser in zip(models, workers, summarisers, strict=True):
        model.go.clear()
        summariser.start(live)
    await workers[0].record(*turn(6))
    for model in models:
        model.go.set()
    for summariser in summarisers:
        await summariser.finish(timeout_secs=5)
    (made,) = await house.summaries()
    assert made.up_to_turn_id == "2"
    assert sum(live.state.summary == made.text for live in workers) == 3


async def test_a_summary_of_a_forgotten_conversation_is_not_written() -> None:
    house, model = House(), Model("The customer asked.")
    model.go.clear()
    live, summariser = await house.open(), Summariser(POLICY, protect, model)
    await live.record(*turns(5))
    summariser.start(live)
    await asyncio.sleep(0)
    await house.journal.forget("c")
    model.go.set()
    await summariser.finish(timeout_secs=5)
    assert await house.journal.read("c") == []


async def test_at_the_end_an_unfinished_summary_is_left() -> None:
    house, model = House(), Model("late")
    model.go.clear()
    live, summariser = await house.open(), Summariser(POLICY, protect, model)
    await live.record(*turns(5))
    summariser.start(live)
    await summariser.finish(timeout_secs=0.01)
    assert await house.summaries() == []

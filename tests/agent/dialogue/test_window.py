"""The window: a bounded prompt in which what matters most stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import events as ev
from agent.conversation import Conversation, fold
from agent.dialogue.policy import Situation, decide
from agent.dialogue.window import MARK, Message, WindowPolicy, cut_middle
from agent.events import Event
from agent.knowledge.retrieval import Found, NoPassageFound, Passage
from agent.llm.prompt import Prompt, ToolCall, ToolOutcome, as_messages, as_tools, fixed_tokens
from agent.llm.tokens import Count, counter_for, size
from agent.loading import load_business
from agent.understanding.understander import Understanding
from tests.conftest import LIBRARY

BUSINESS, TOOLS = load_business(LIBRARY)
GPT, OTHER = counter_for("gpt-4.1-mini"), counter_for("sim-1")
AT: Any = {"at": 1.0, "session_id": "s"}


def turn(name: str, user: str, agent: str = "") -> list[Event]:
    said: list[Event] = [ev.UserSaid(turn_id=name, text=user, **AT)]
    return [*said, ev.AgentSaid(turn_id=name, text=agent, **AT)] if agent else said


def call(name: str, effect_id: str, status: ev.EffectStatus | None = "done", says: str = "Done.") -> list[Event]:
    started = ev.EffectStarted(
        turn_id=name,
        effect_id=effect_id,
        tool="fine_balance",
        arguments={"card_number": "2000001"},
        effect="safe",
        **AT,
    )
    if status is None:
        return [started]
    return [started, ev.EffectEnded(turn_id=name, effect_id=effect_id, status=status, result={"says": says}, **AT)]


def passage(number: int, text: str = "The library lends twenty books at once. ") -> Passage:
    return Passage(f"p{number}", f"Page {number}", "page.md", None, text * 5, 0.9, text, text)


def outcome(number: int, says: str = "You owe nothing.") -> ToolOutcome:
    tool_call = ToolCall(f"id-{number}", "fine_balance", {"card_number": "2000001"})
    return ToolOutcome(tool_call, "done", {"says": says}, says)


def prompt(
    conversation: Conversation,
    *,
    medium: Literal["text", "voice"] = "text",
    passages: int = 0,
    outcomes: tuple[ToolOutcome, ...] = (),
) -> Prompt:
    """The prompt for the conversation's last turn."""
    newest = conversation.turns[-1]
    found = Found(tuple(passage(n) for n in range(passages))) if passages else NoPassageFound(0.0)
    meaning = Understanding(text=newest.user_text, request=newest.user_text, intent=None, confidence=0.9)
    situation = Situation(conversation, BUSINESS, TOOLS, meaning, found)
    return Prompt(
        turn_id=newest.turn_id,
        medium=medium,
        business=BUSINESS,
        conversation=conversation,
        situation=situation,
        decision=decide(situation),
        tools=tuple(TOOLS.values()),
        passages=found.passages if isinstance(found, Found) else (),
        outcomes=outcomes,
    )


def total(made: list[Message], count: Count) -> int:
    """Messages and tools."""
    return size([*made, *map(dict, as_tools(prompt(fold("c", turn("0", "hi")))))], count)


def said(messages: list[Message], role: str = "user") -> list[str]:
    """What a role says, without the data blocks."""
    texts = [str(m["content"]) for m in messages if m["role"] == role and m["content"]]
    return [text for text in texts if not text.startswith("<data>")]


def data(messages: list[Message]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for message in messages:
        if str(message["content"]).startswith("<data>"):
            merged |= json.loads(message["content"].split("\n")[1])
    return merged


def assert_calls_have_results(messages: list[Message]) -> None:
    """Every call is followed by its result, and every result follows its call."""
    awaited = None
    for message in messages:
        assert awaited is None or message.get("tool_call_id") == awaited
        assert message["role"] != "tool" or awaited is not None
        awaited = message["tool_calls"][0]["id"] if message.get("tool_calls") else None
    assert awaited is None


@pytest.mark.parametrize(("medium", "turns"), [("text", 10), ("voice", 6)])
def test_the_last_turns_stand_in_their_order(medium: Literal["text", "voice"], turns: int) -> None:
    events = [e for n in range(30) for e in turn(str(n), f"question {n}", f"answer {n}")]
    messages = as_messages(prompt(fold("c", events), medium=medium), WindowPolicy(), GPT)
    assert said(messages) == [f"question {n}" for n in range(30 - turns, 30)]
    assert said(messages, "assistant") == [f"answer {n}" for n in range(30 - turns, 29)]


def test_a_call_stands_with_its_result_between_question_and_answer() -> None:
    events = [*turn("1", "what do I owe?"), *call("1", "e1"), *call("1", "e2", None)]
    events += [ev.AgentSaid(turn_id="1", text="Nothing.", **AT), *turn("2", "sure?")]
    messages = as_messages(prompt(fold("c", events)), WindowPolicy(), GPT)
    roles = [m["role"] for m in messages if not str(m["content"]).startswith("<data>")]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant", "user"]
    assert_calls_have_results(messages)
    assert [json.loads(m["content"])["status"] for m in messages if m["role"] == "tool"] == ["done", "unknown"]


def test_a_confirmed_call_stands_in_the_turn_in_which_it_ran() -> None:
    proposed = ev.EffectProposed(turn_id="1", effect_id="e", tool="t", arguments={}, question="Shall I?", **AT)
    events = [*turn("1", "do it"), proposed, *turn("2", "yes"), *call("2", "e"), *turn("3", "thanks")]
    messages = as_messages(prompt(fold("c", events)), WindowPolicy(), GPT)
    roles = [m["role"] for m in messages if not str(m["content"]).startswith("<data>")]
    assert roles == ["system", "user", "user", "assistant", "tool", "user"]


def test_what_is_known_of_the_customer_is_told() -> None:
    known = replace(prompt(fold("c", turn("1", "hello"))), known={"name": "[NAME_1]"})
    assert data(as_messages(known, WindowPolicy(), GPT))["facts"]["customer"] == {"name": "[NAME_1]"}


ORDER = (
    "an earlier call", "an older turn", "the second passage", "the whole result", "the summary",
    "the last turn", "the best passage", "the first call", "the facts", "the whole newest turn",
)  # fmt: skip


def present(messages: list[Message]) -> list[bool]:
    """Which of `ORDER` a prompt of `crowded` holds."""
    held, users = data(messages), said(messages)
    results = [m["content"] for m in messages if m["role"] == "tool"]
    return [
        any("earlier result" in r for r in results),
        "older question" in users,
        len(held.get("passages", ())) > 1,
        any(r.count("result now") == 200 for r in results),
        "summary" in held,
        "last question" in users,
        "passages" in held,
        any(m.get("tool_call_id") == "now-0" for m in messages),
        "facts" in held,
        any(text.count("newest question") == 150 for text in users),
    ]


def crowded() -> Prompt:
    events = [
        *turn("0", "older question", "older answer"),
        *call("0", "e0", says="earlier result"),
        *turn("1", "middle question", "middle answer"),
        *turn("2", "last question", "last answer"),
        ev.SummaryMade(text="They asked about fines. " * 5, up_to_turn_id="0", **AT),
        ev.FactLearned(name="name", value="[NAME_1]", **AT),
        *turn("3", "newest question " * 150),
    ]
    outcomes = (outcome(1, "result now " * 200), outcome(2, "result now " * 200))
    return prompt(fold("c", events), passages=2, outcomes=outcomes)


def test_what_is_dropped_follows_the_written_order() -> None:
    full = crowded()
    seen = set()
    for tokens in range(fixed_tokens(BUSINESS, TOOLS.values(), GPT) + 300, 6000, 20):
        messages = as_messages(full, WindowPolicy(tokens=tokens), GPT)
        held = present(messages)
        first = held.index(True) if True in held else len(ORDER)
        assert all(held[first:]), dict(zip(ORDER, held, strict=True))
        assert total(messages, GPT) <= tokens
        assert_calls_have_results(messages)
        seen.add(first)
    assert seen == set(range(len(ORDER) + 1))


def test_a_newest_turn_that_is_too_long_keeps_its_start_and_its_end() -> None:
    text = f"My order is 10003. {'blah ' * 800}Please tell me where it is."
    tokens = fixed_tokens(BUSINESS, TOOLS.values(), GPT) + 300
    messages = as_messages(prompt(fold("c", turn("1", text))), WindowPolicy(tokens=tokens), GPT)
    (newest,) = said(messages)
    assert newest.startswith("My order is 10003.") and newest.endswith("tell me where it is.") and MARK in newest
    assert 0.9 * tokens <= total(messages, GPT) <= tokens


def test_a_cut_falls_between_words() -> None:
    text = " ".join(f"[EMAIL_{n}] order 1000{n % 10}" for n in range(100))
    for chars in range(100, len(text), 7):
        cut = cut_middle(text, chars)
        assert len(cut) <= chars
        assert set(cut.split()) <= {*text.split(), MARK.strip()}
    assert len(cut_middle("x" * 5000, 300)) <= 300
    assert cut_middle(text, len(text)) == text


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=400)
STATUS = st.sampled_from(["done", "failed", "unknown", None])


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    events: list[Event] = []
    for number in range(draw(st.integers(1, 25))):
        name = str(number)
        events += turn(name, f"#{number} {draw(WORDS)}")
        for n in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            events += call(name, f"{name}-{n}", draw(STATUS), draw(WORDS))
        if draw(st.booleans()):
            events.append(ev.HumanSaid(turn_id=name, text=draw(WORDS), name="Kim", **AT))
        if draw(st.booleans()):
            events.append(ev.AgentSaid(turn_id=name, text=draw(WORDS), **AT))
        if draw(st.booleans()):
            events.append(ev.SlotSet(turn_id=name, name="card_number", value=draw(WORDS), **AT))
        if draw(st.integers(0, 9)) == 0:
            events.append(ev.SummaryMade(text=draw(WORDS), up_to_turn_id=name, **AT))
            events.append(ev.Promised(turn_id=name, text=draw(WORDS), **AT))
    return fold("c", [*events, *turn("newest", "#newest " + draw(st.sampled_from([1, 40])) * draw(WORDS))])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    conversations(),
    st.sampled_from(["text", "voice"]),
    st.sampled_from([GPT, OTHER]),
    st.integers(500, 6000),
    st.integers(0, 5),
    st.lists(WORDS.map(lambda says: says * 20), max_size=4),
)
def test_any_conversation_fits(
    conversation: Conversation,
    medium: Literal["text", "voice"],
    count: Count,
    room: int,
    passages: int,
    results: list[str],
) -> None:
    policy = WindowPolicy(tokens=fixed_tokens(BUSINESS, TOOLS.values(), count) + room)
    outcomes = tuple(outcome(n, says) for n, says in enumerate(results))
    messages = as_messages(prompt(conversation, medium=medium, passages=passages, outcomes=outcomes), policy, count)
    assert total(messages, count) <= policy.tokens
    assert_calls_have_results(messages)
    users = said(messages)
    assert users[-1].startswith("#newest") or users[-1].startswith(MARK.strip())
    numbers = [int(text.split()[0][1:]) for text in users[:-1]]
    assert numbers == sorted(numbers)
    turns = policy.voice_turns if medium == "voice" else policy.text_turns
    assert len(users) <= turns and len(conversation.turns) - len(users) - 1 <= (numbers or [len(conversation.turns)])[0]
    assert (messages[-1]["role"] == "tool") == bool(results)

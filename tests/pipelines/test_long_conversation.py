"""Two hundred turns: what goes to the model stays bounded, and the number of turn 2 is still known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from agent import events as ev
from agent.acts import Say
from agent.errors import SettingFault
from agent.live import LiveConversation
from agent.llm.tokens import Count, counter_for, size
from agent.parts import Parts, TurnHeard
from agent.reply import reply, retrieve, understand
from lab.providers.openai_sim import Answer, Behaviour, Fail, OpenAISim, SimRequest
from pipelines.runtime import Runtime
from pipelines.settings import Settings

Medium = Literal["text", "voice"]
TURNS = 200
UNRELATED = (
    "When are you open on Saturday?",
    "How many books can I borrow at once?",
    "Do you lend e-books?",
    "thank you",
    "How long is a library card valid?",
    "Is there story time for children?",
    "May I bring my dog?",
    "hello",
    "How much does printing cost?",
    "Is there somewhere to park?",
    "Do you have a book club?",
    "How many people fit into the study room?",
)
COUNT = counter_for("gpt-4.1-mini")


@asynccontextmanager
async def started(settings: Settings, sim: OpenAISim, **changes: Any) -> AsyncIterator[Runtime]:
    key = SecretStr("sk-test")
    model = {"openai_base_url": sim.base_url, "openai_api_key": key, "model_first_token_secs": 5.0, **changes}
    runtime = await Runtime.start(settings.model_copy(update=model), voice=False)
    yield runtime
    await runtime.stop()


async def say(text: str, number: int, medium: Medium, live: LiveConversation, parts: Parts) -> str:
    """One turn through the core; on a call everything is heard."""
    spoken = medium == "voice"
    written = parts.understander.hear(text, live.vault, live.state.pending, spoken=spoken)
    turn = TurnHeard(f"t{number}", written, medium, spoken=spoken)
    understood = await understand(turn, live, parts)
    found = await retrieve(understood, parts)
    said = [act.text async for act in reply(turn, understood, found, live, parts) if isinstance(act, Say)]
    if spoken:
        await live.record(ev.Heard(text="".join(said), complete=True, **live.stamp(turn.turn_id)))
    return "".join(said)


def answers(request: dict[str, Any]) -> Behaviour:
    if request.get("stream"):
        return Answer("It is so, according to our pages. [Source: Visiting us]")
    return Answer("The customer asked about fines and about the library.")


def replies(sim: OpenAISim, medium: Medium = "text") -> list[SimRequest]:
    """The requests for answers in a medium, summaries left out."""
    voice = medium == "voice"
    answers = [request for request in sim.requests if request.body.get("stream")]
    return [r for r in answers if ("You are speaking on a call" in r.messages[0]["content"]) == voice]


def size_of(request: SimRequest, count: Count = COUNT) -> int:
    return size([*request.messages, *request.body["tools"]], count)


def data(request: SimRequest) -> dict[str, Any]:
    blocks = [str(m["content"]) for m in request.messages if str(m["content"]).startswith("<data>")]
    return {name: part for block in blocks for name, part in json.loads(block.split("\n")[1]).items()}


async def talk(medium: Medium, runtime: Runtime) -> LiveConversation:
    live = await runtime.open(f"on-{medium}", medium, "phone" if medium == "voice" else "text")
    await say("Hello!", 1, medium, live, runtime.parts)
    await say("My card number is 2000003, how much do I owe?", 2, medium, live, runtime.parts)
    for number in range(3, TURNS):
        await say(UNRELATED[number % len(UNRELATED)], number, medium, live, runtime.parts)
        await runtime.parts.summariser.finish(timeout_secs=5)
    await say("Do I have any fines?", TURNS, medium, live, runtime.parts)
    return live


@pytest.mark.timeout(300)
async def test_the_prompt_stays_bounded_and_knows_the_number_of_turn_2(settings: Settings) -> None:
    media: tuple[Medium, ...] = ("text", "voice")
    async with OpenAISim(answers) as sim, started(settings, sim) as runtime:
        for live, medium in zip(await asyncio.gather(*(talk(m, runtime) for m in media)), media, strict=True):
            ran = [e for e in live.state.effects.values() if e.turn_id == f"t{TURNS}"]
            assert [(e.tool, e.arguments) for e in ran] == [("fine_balance", {"card_number": "2000003"})]
            sent = replies(sim, medium)
            sizes = [size_of(request) for request in sent]
            assert len(sizes) >= TURNS * 0.9 and max(sizes) <= runtime.settings.prompt_tokens
            assert max(sizes[100:-1]) <= max(sizes[30:100])
            assert all(data(r)["facts"]["given"] == {"card_number": "2000003"} for r in sent[3:])
            assert data(sent[-1])["summary"] == "The customer asked about fines and about the library."


async def test_the_answers_limits_go_to_the_model(settings: Settings) -> None:
    async with (
        OpenAISim(answers) as sim,
        started(settings, sim, openai_max_tokens=123, openai_temperature=0.7) as runtime,
    ):
        live = await runtime.open("c", "s", "text")
        await say("hello there", 1, "text", live, runtime.parts)
        body = replies(sim)[-1].body
        assert (body["max_tokens"], body["temperature"]) == (123, 0.7)


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "some-model"])
async def test_a_small_budget_is_kept_by_every_prompt(settings: Settings, model: str) -> None:
    async with (
        OpenAISim(answers) as sim,
        started(settings, sim, prompt_tokens=2600, openai_model=model) as runtime,
    ):
        live = await runtime.open("c", "s", "text")
        await say("My card number is 2000004, do I have any fines?", 1, "text", live, runtime.parts)
        for number in range(2, 14):
            text = f"{UNRELATED[number % len(UNRELATED)]} I ask {'because of my aunt ' * 20 * (number % 3)}."
            await say(text, number, "text", live, runtime.parts)
        sizes = [size_of(request, counter_for(model)) for request in replies(sim)]
        assert len(sizes) >= 10 and max(sizes) <= 2600
        assert max(sizes) > 2000


async def test_a_budget_that_leaves_no_room_stops_the_start(settings: Settings) -> None:
    async with OpenAISim(answers) as sim:
        with pytest.raises(SettingFault, match=r"PROMPT_TOKENS=1000 is too few: .* need at least \d{4}"):
            async with started(settings, sim, prompt_tokens=1000):
                pass


async def test_a_summary_that_fails_hurts_no_turn(settings: Settings) -> None:
    def answers_but_no_summary(request: dict[str, Any]) -> Behaviour:
        return answers(request) if request.get("stream") else Fail(500)

    async with OpenAISim(answers_but_no_summary) as sim, started(settings, sim) as runtime:
        live = await runtime.open("c", "s", "text")
        for number, text in enumerate(UNRELATED[:8]):
            assert await say(text, number, "text", live, runtime.parts)
        await runtime.parts.summariser.finish(timeout_secs=5)
        assert any(not r.body.get("stream") for r in sim.requests)
        assert live.state.summary.startswith("Customer: When are you open on Saturday?")


async def test_a_number_named_beside_a_question_is_known_later(settings: Settings) -> None:
    runtime = await Runtime.start(settings, voice=False)
    live = await runtime.open("c", "s", "text")
    await say("My card is 2000003. How many books can I borrow at once?", 1, "text", live, runtime.parts)
    assert "$4.50" in await say("Do I have any fines?", 2, "text", live, runtime.parts)
    await runtime.stop()

"""With INTENT_MODEL set, a running agent's intents are the model's; the embedded classifier's wherever it fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from agent import events as ev
from lab.providers.openai_sim import Answer, Behaviour, Delay, Fail, Hang, OpenAISim
from pipelines.chat import Desk
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from transports.chat import ChatAnswer

RENEWS = "could you prolong the loan of my books"
ODD = "the grey one with the two stripes"


def classifies(intent: Behaviour) -> Callable[[dict[str, Any]], Behaviour]:
    """A provider that gives this where an intent is asked for, and small talk otherwise."""
    return lambda request: intent if "response_format" in request else Answer("Very well.")


def picks(name: str) -> Answer:
    return Answer(json.dumps({"intent": name}))


@asynccontextmanager
async def agent(settings: Settings, sim: OpenAISim, intent_model: str = "sorter-1") -> AsyncIterator[Runtime]:
    with_model = settings.model_copy(
        update={
            "openai_base_url": sim.base_url,
            "openai_api_key": SecretStr("sk-test"),
            "intent_model": intent_model,
            "intent_model_secs": 0.5,
        }
    )
    runtime = await Runtime.start(with_model, voice=False)
    sim.requests.clear()
    yield runtime
    await runtime.stop()


async def intent_of(runtime: Runtime, text: str) -> str | None:
    """What the journal says that a new customer's first turn meant."""
    answer = ChatAnswer()
    async for item in Desk(runtime).say(text, None):
        answer.take(item)
    conversation_id = await runtime.journal.find_token(answer.token or "")
    assert conversation_id
    events = await runtime.journal.read(conversation_id)
    return next(e for e in events if isinstance(e, ev.Understood)).intent


def asked(sim: OpenAISim) -> list[dict[str, Any]]:
    return [request.body for request in sim.requests if "response_format" in request.body]


async def test_the_model_has_the_last_word_on_the_intent(settings: Settings) -> None:
    async with OpenAISim(classifies(picks("reserve_room"))) as sim, agent(settings, sim) as runtime:
        assert await intent_of(runtime, ODD) == "reserve_room"
        (request,) = asked(sim)
        assert request["model"] == "sorter-1"
        form = request["response_format"]["json_schema"]
        assert form["strict"] is True
        assert {"renew_loan", "reserve_room", "human", "_knowledge"} < set(
            form["schema"]["properties"]["intent"]["enum"]
        )


async def test_a_model_that_sees_none_of_the_intents_is_believed(settings: Settings) -> None:
    async with OpenAISim(classifies(picks("none_of_these"))) as sim, agent(settings, sim) as runtime:
        assert await intent_of(runtime, RENEWS) is None


@pytest.mark.parametrize("fault", [Fail(500), Fail(429), Hang(), Delay(3, picks("human")), Answer("It is renew_loan.")])
async def test_where_the_model_fails_the_embedded_classifier_decides(settings: Settings, fault: Behaviour) -> None:
    async with OpenAISim(classifies(fault)) as sim, agent(settings, sim) as runtime:
        assert await intent_of(runtime, RENEWS) == "renew_loan"
        assert len(asked(sim)) == (2 if isinstance(fault, Answer) else 1)


async def test_the_model_sees_no_personal_data(settings: Settings) -> None:
    said = "renew it for card 2000001 please and write to jo.bloggs@example.com or call +1 415 555 0132"
    async with OpenAISim(classifies(picks("renew_loan"))) as sim, agent(settings, sim) as runtime:
        await intent_of(runtime, said)
        (request,) = asked(sim)
        sent = json.dumps(request)
        assert "renew it for card" in sent
        assert not [value for value in ("2000001", "bloggs", "example.com", "555") if value in sent]


async def test_a_plain_yes_needs_no_model(settings: Settings) -> None:
    async with OpenAISim(classifies(picks("human"))) as sim, agent(settings, sim) as runtime:
        assert await intent_of(runtime, "yes please") == "yes"
        assert asked(sim) == []


async def test_without_the_setting_no_intent_is_asked_for(settings: Settings) -> None:
    async with OpenAISim(classifies(picks("human"))) as sim, agent(settings, sim, intent_model="") as runtime:
        assert await intent_of(runtime, RENEWS) == "renew_loan"
        assert asked(sim) == []


def test_an_intent_model_without_an_endpoint_is_refused() -> None:
    with pytest.raises(ValidationError, match="INTENT_MODEL needs OPENAI_API_KEY or OPENAI_BASE_URL"):
        Settings(intent_model="sorter-1", openai_api_key=None, openai_base_url="")

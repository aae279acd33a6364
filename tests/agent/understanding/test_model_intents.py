"""The intent by a model: what it is asked, what counts as an answer, and what becomes of the confidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from agent.errors import ProviderError
from agent.understanding.intents import Intent, NotUnderstood, Ranking
from agent.understanding.model_intents import NONE, ModelIntentPolicy, ModelIntents, NoAnswer, ScriptedModel

EXAMPLES = {
    "order_status": ["where is my order", "has it shipped"],
    "return_item": ["I want to return it"],
    "out_of_scope": ["tell me a joke"],
}
UNSURE = Ranking((("order_status", 0.6), ("return_item", 0.4)), in_scope=0.9)


def picks(name: str) -> str:
    return json.dumps({"intent": name})


def ask(
    model: ScriptedModel, ranking: Ranking = UNSURE, deadline_secs: float = 1.0
) -> Intent | NotUnderstood | NoAnswer:
    policy = ModelIntentPolicy(deadline_secs=deadline_secs)
    return asyncio.run(ModelIntents(model, "Acme", EXAMPLES, policy).choose("take it back", ranking))


def test_the_picked_intent_is_taken_and_agreement_makes_it_surer() -> None:
    agreed, against = ask(ScriptedModel(picks("order_status"))), ask(ScriptedModel(picks("return_item")))
    assert isinstance(agreed, Intent) and isinstance(against, Intent)
    assert (agreed.name, against.name) == ("order_status", "return_item")
    assert agreed.confidence > 0.9 * 0.6
    assert agreed.confidence > against.confidence > 0.9 * 0.4
    assert against.alternatives[0][0] == "order_status"


def test_the_confidence_is_bayes_rule_with_a_witness_who_is_mostly_right() -> None:
    choice = ask(ScriptedModel(picks("return_item")))
    pick, others = 0.9 * 0.36, 0.05 * (0.54 + 0.1)  # trust 0.9; the doubt of 0.1 shared by the two other answers
    assert isinstance(choice, Intent)
    assert choice.confidence == pytest.approx(pick / (pick + others))


def test_a_pick_against_local_certainty_is_doubted() -> None:
    sure = Ranking((("order_status", 0.9999), ("return_item", 0.0001)), in_scope=0.999)
    choice = ask(ScriptedModel(picks("return_item")), sure)
    assert isinstance(choice, Intent) and choice.name == "return_item"
    assert choice.confidence < 0.1


def test_none_of_these_is_not_understood() -> None:
    choice = ask(ScriptedModel(picks(NONE)))
    assert isinstance(choice, NotUnderstood)
    assert choice.confidence < 0.6 and choice.alternatives[0][0] == "order_status"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "order_status",
        "[]",
        '"order_status"',
        '{"intent": 3}',
        '{"intent": "refund"}',
        '{"intent": "out_of_scope"}',
        '{"intent": ["order_status"]}',
        '{"intent": "order_status", "because": "so"}',
        '{"name": "order_status"}',
    ],
)
def test_a_bad_answer_is_asked_again_once(bad: str) -> None:
    mended = ScriptedModel(bad, picks("order_status"))
    assert isinstance(ask(mended), Intent)
    assert len(mended.asked) == 2
    assert "not of the asked form" in mended.asked[1][0] and "not of the asked form" not in mended.asked[0][0]
    hopeless = ScriptedModel(bad, bad, picks("order_status"))
    assert isinstance(ask(hopeless), NoAnswer)
    assert len(hopeless.asked) == 2


def test_a_provider_that_fails_is_not_asked_again() -> None:
    model = ScriptedModel(ProviderError("HTTP 500"), picks("order_status"))
    assert ask(model) == NoAnswer("HTTP 500")
    assert len(model.asked) == 1


def test_an_answer_after_the_deadline_is_none() -> None:
    assert ask(ScriptedModel(picks("order_status"), secs=5), deadline_secs=0.01) == NoAnswer("too late")


def test_a_programming_mistake_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        ask(ScriptedModel(KeyError("x")))


def test_the_model_reads_the_intents_with_examples_and_the_text_apart_from_its_orders() -> None:
    model = ScriptedModel(picks("order_status"))
    ask(model)
    ((system, user),) = model.asked
    assert "order_status: where is my order | has it shipped" in system
    assert "joke" not in system and "take it back" not in system
    assert user == "take it back"


def test_the_form_asked_for_is_strict() -> None:
    class Keeping:
        async def write_json(self, system: str, user: str, name: str, schema: Mapping[str, Any]) -> str:
            assert schema["additionalProperties"] is False and schema["required"] == ["intent"]
            assert schema["properties"]["intent"]["enum"] == ["order_status", "return_item", NONE]
            return picks(NONE)

    assert isinstance(asyncio.run(ModelIntents(Keeping(), "Acme", EXAMPLES).choose("x", UNSURE)), NotUnderstood)

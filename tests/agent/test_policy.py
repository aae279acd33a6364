"""The policy's table: situations in, decisions out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agent import events as ev
from agent.conversation import fold
from agent.dialogue.policy import Situation, decide
from agent.events import EntityFound
from agent.knowledge.retrieval import NoPassageFound
from agent.loading import load_business
from agent.understanding.understander import Understanding
from tests.conftest import LIBRARY

BUSINESS, TOOLS = load_business(LIBRARY)
CARD = EntityFound(type="card_number", value="2000001", text="2000001", start=0, end=7)
OTHER_CARD = EntityFound(type="card_number", value="2000002", text="2000002", start=0, end=7)
DAY = EntityFound(type="date", value="2026-12-01", text="on tuesday", start=8, end=18)


def decided(action: str, **details: Any) -> ev.Decided:
    return ev.Decided(at=1.0, turn_id="t", action=action, details=details)


def proposed(**arguments: str) -> ev.EffectProposed:
    return ev.EffectProposed(at=1.0, turn_id="t", effect_id="e", tool="reserve_room", arguments=arguments, question="?")


ASKED_CARD = [decided("ask", task="fine_balance", slot="card_number")]
CONFIRMING = [
    ev.SlotSet(at=1.0, name="card_number", value="2000001"),
    ev.SlotSet(at=1.0, name="day", value="2026-12-01"),
    decided("confirm", task="reserve_room", effect_id="e", tool="reserve_room"),
    proposed(card_number="2000001", day="2026-12-01"),
]


def situation(*before: Any, text: str = "", intent: str | None = None, **understood: Any) -> Situation:
    spoken = {k: understood.pop(k) for k in ("spoken", "confidence_of_words") if k in understood}
    meaning = Understanding(
        text=text, request=text, intent=intent, confidence=understood.pop("confidence", 0.9), **understood
    )
    return Situation(
        conversation=fold("c", before),
        business=BUSINESS,
        tools=TOOLS,
        understood=meaning,
        found=NoPassageFound(0.0),
        spoken=spoken.get("spoken", False),
        confidence=spoken.get("confidence_of_words", 1.0),
    )


def test_a_task_without_its_value_asks_for_it() -> None:
    decision = decide(situation(intent="fine_balance"))
    assert (decision.action, decision.slot, decision.task) == ("ask", "card_number", "fine_balance")


def test_a_task_with_its_value_is_called() -> None:
    decision = decide(situation(intent="fine_balance", text="2000001", entities=(CARD,)))
    assert (decision.action, decision.tool, dict(decision.arguments)) == (
        "call",
        "fine_balance",
        {"card_number": "2000001"},
    )


def test_an_effect_is_confirmed_before_it_is_called() -> None:
    decision = decide(situation(intent="reserve_room", text="2000001 on tuesday", entities=(CARD, DAY)))
    assert (decision.action, dict(decision.arguments)) == (
        "confirm",
        {"card_number": "2000001", "day": "2026-12-01"},
    )


def test_the_answer_to_the_open_question_goes_on_with_the_task() -> None:
    decision = decide(situation(*ASKED_CARD, text="it is 2000001", entities=(CARD,)))
    assert decision.action == "call" and decision.slots == {"card_number": "2000001"}


def test_an_answer_that_sounds_like_another_task_stays_with_the_open_one() -> None:
    number = replace_span(CARD, 11)
    decision = decide(situation(*ASKED_CARD, text="my card is 2000001", intent="lost_card_report", entities=(number,)))
    assert decision.tool == "fine_balance"


def replace_span(entity: EntityFound, start: int) -> EntityFound:
    return entity.model_copy(update={"start": start, "end": start + len(entity.text)})


def test_another_value_after_a_finished_task_does_it_again() -> None:
    finished = [
        ev.SlotSet(at=1.0, name="card_number", value="2000001"),
        decided("call", task=None, finishes="fine_balance"),
    ]
    decision = decide(situation(*finished, text="and 2000002", entities=(replace_span(OTHER_CARD, 4),)))
    assert (decision.action, decision.arguments) == ("call", {"card_number": "2000002"})


def test_yes_calls_exactly_what_was_proposed() -> None:
    decision = decide(situation(*CONFIRMING, text="yes", act="yes"))
    assert (decision.action, decision.effect_id, decision.arguments["day"]) == ("call", "e", "2026-12-01")


def test_no_drops_the_effect() -> None:
    decision = decide(situation(*CONFIRMING, text="no", act="no"))
    assert (decision.action, decision.effect_id) == ("drop", "e")


def test_a_corrected_value_is_confirmed_anew() -> None:
    decision = decide(situation(*CONFIRMING, text="no, 2000002", act="no", entities=(replace_span(OTHER_CARD, 4),)))
    assert (decision.action, decision.arguments["card_number"], decision.effect_id) == ("confirm", "2000002", None)


def test_anything_else_than_yes_is_no_yes() -> None:
    decision = decide(situation(*CONFIRMING, text="purple"))
    assert (decision.action, decision.again) == ("confirm", True)


def test_a_value_ruled_out_is_not_taken() -> None:
    first, second = replace_span(CARD, 4), replace_span(OTHER_CARD, 16)
    text = "not 2000001 but 2000002"
    decision = decide(situation(*ASKED_CARD, text=text, entities=(first, second)))
    assert decision.arguments == {"card_number": "2000002"}


def test_a_human_is_called_when_asked_for_and_for_what_is_always_human() -> None:
    assert decide(situation(intent="human")).action == "hand_off"
    always = next(name for name, intent in BUSINESS.intents.items() if intent.human)
    assert decide(situation(intent=always)).topic == "always_human"


def test_frustration_and_turns_without_progress_call_a_human() -> None:
    assert decide(situation(frustration=0.95)).topic == "frustration"
    assert decide(situation(*[decided("unknown")] * BUSINESS.hand_off.unresolved_turns)).topic == "unresolved"


def test_a_question_asked_in_vain_calls_a_human() -> None:
    assert decide(situation(*ASKED_CARD * 3, text="no idea")).topic == "unresolved"


def test_what_fits_nothing_is_unknown_and_yes_to_the_offer_calls_a_human() -> None:
    assert decide(situation(text="zebras")).action == "unknown"
    assert decide(situation(decided("unknown"), text="yes", act="yes")).topic == "accepted_offer"


def test_two_near_intents_are_clarified_and_the_choice_starts_the_task() -> None:
    decision = decide(situation(text="the room or the fine", near=("reserve_room", "fine_balance")))
    assert (decision.action, decision.options) == ("clarify", ("reserve_room", "fine_balance"))
    asked = decided("clarify", options=list(decision.options))
    assert decide(situation(asked, text="the second", chosen="fine_balance")).task == "fine_balance"


def test_never_mind_drops_the_task() -> None:
    decision = decide(situation(*ASKED_CARD, text="never mind", act="never_mind"))
    assert (decision.action, decision.task) == ("drop", None)


def test_words_heard_badly_are_asked_for_again() -> None:
    unsure = situation(intent="fine_balance", spoken=True, confidence_of_words=0.2)
    assert decide(unsure).action == "say_again"


def test_a_value_heard_unsurely_is_read_back_before_it_is_used() -> None:
    heard = situation(*ASKED_CARD, text="2000001", entities=(CARD,), spoken=True, confidence_of_words=0.45)
    decision = decide(heard)
    assert (decision.action, decision.slot, decision.value) == ("check", "card_number", "2000001")
    checking = decided("check", task="fine_balance", slot="card_number", value="2000001")
    assert decide(situation(checking, text="yes", act="yes")).arguments == {"card_number": "2000001"}
    again = decide(situation(checking, text="no", act="no"))
    assert (again.action, again.slot) == ("ask", "card_number")


def test_while_a_human_has_the_conversation_the_agent_is_silent() -> None:
    with_human = ev.HandOffMoved(at=1.0, hand_off_id="h", state="with_human")
    assert decide(situation(with_human, intent="human")).action == "forward"


@pytest.mark.parametrize("make", [lambda: situation(), lambda: situation(*CONFIRMING, intent="greeting")])
def test_every_decision_says_why(make: Callable[[], Situation]) -> None:
    assert all(decide(make()).reasons)


def test_a_decision_is_the_same_for_a_chat_and_a_call() -> None:
    typed = situation(*ASKED_CARD, text="2000001", entities=(CARD,))
    spoken = replace(typed, spoken=True, confidence=0.95)
    assert decide(typed) == decide(spoken)

from __future__ import annotations

from agent import events as ev
from agent.conversation import fold
from agent.handoff.brief import brief
from agent.loading import load_business
from tests.conftest import LIBRARY

BUSINESS, _ = load_business(LIBRARY)


def test_the_brief_says_what_the_customer_is_upset_about_and_what_still_waits() -> None:
    waiting = [{"task": "reserve_room", "slots": {"card_number": "2000002"}}]
    conversation = fold(
        "c",
        [
            ev.Understood(
                at=1.0,
                intent=None,
                confidence=0.1,
                frustration=0.9,
                frustration_reasons=["said again and again", "was cut off"],
            ),
            ev.Decided(at=1.0, action="hand_off", details={"task": None, "waiting": waiting}),
        ],
    )
    text = brief(conversation, BUSINESS, "frustration 0.90")
    assert "Sounds upset: said again and again, was cut off." in text
    assert f"Also wants to {BUSINESS.intents['reserve_room'].title}." in text

"""Facts: what is never forgotten, small however long the conversation."""

from __future__ import annotations

import json
from typing import Any

from agent import events as ev
from agent.conversation import fold
from agent.dialogue.facts import facts
from agent.events import EntityFound, Event
from agent.loading import load_business
from tests.conftest import LIBRARY

BUSINESS, _ = load_business(LIBRARY)
AT: Any = {"at": 1.0, "turn_id": "t", "session_id": "s"}


def of(*events: Event, **known: str) -> dict[str, Any]:
    return facts(fold("c", events), BUSINESS, known)


def test_nothing_known_is_nothing() -> None:
    assert of() == {}


def test_both_numbers_that_were_given_are_kept() -> None:
    numbers = [ev.SlotSet(name="card_number", value=v, **AT) for v in ("2000001", "2000002")]
    assert of(*numbers)["given"] == {"card_number": ["2000001", "2000002"]}
    assert of(*numbers, numbers[0])["given"] == {"card_number": ["2000002", "2000001"]}


def test_other_values_are_the_latest() -> None:
    days = [ev.SlotSet(name="day", value=v, **AT) for v in ("2026-12-01", "2026-12-02")]
    assert of(*days)["given"] == {"day": "2026-12-02"}
    assert "given" not in of(*days, ev.SlotSet(name="day", value=None, **AT))


def test_personal_data_is_known_by_its_token() -> None:
    email = EntityFound(type="email", value="[EMAIL_1]", text="[EMAIL_1]", start=0, end=9)
    understood = ev.Understood(intent=None, confidence=0.0, entities=[email], **AT)
    learned = ev.FactLearned(name="name", value="[NAME_1]", **AT)
    assert of(understood, learned)["customer"] == {"email": "[EMAIL_1]", "name": "[NAME_1]"}


def test_what_is_said_now_stands_over_what_was_remembered() -> None:
    learned = ev.FactLearned(name="name", value="[NAME_2]", **AT)
    assert of(learned, name="[NAME_1]", last_order="10001")["customer"] == {"name": "[NAME_2]", "last_order": "10001"}


def test_the_issue_what_was_done_and_what_was_promised() -> None:
    call: dict[str, Any] = {"effect_id": "e", **AT}
    told = of(
        ev.Decided(action="call", details={"finishes": "fine_balance"}, **AT),
        ev.EffectStarted(tool="fine_balance", arguments={"card_number": "2000001"}, effect="safe", **call),
        ev.EffectEnded(status="failed", **call),
        ev.Promised(text="A librarian answers today.", **AT),
        ev.HandOffMoved(hand_off_id="h", state="requested", **AT),
    )
    assert told["issue"] == BUSINESS.intents["fine_balance"].title
    assert told["done"] == [{"tool": "fine_balance", "card_number": "2000001", "outcome": "failed"}]
    assert told["promised"] == ["A librarian answers today."]
    assert told["hand_off"] == "requested"


def test_facts_stay_small() -> None:
    events: list[Event] = []
    for n in range(300):
        call: dict[str, Any] = {"effect_id": f"e{n}", **AT}
        events += [
            ev.SlotSet(name="card_number", value=str(2000000 + n), **AT),
            ev.SlotSet(name="book_title", value="word " * 100, **AT),
            ev.FactLearned(name=f"fact {n}", value="x" * 1000, **AT),
            ev.EffectStarted(tool="fine_balance", arguments={"card_number": str(n) * 100}, effect="safe", **call),
            ev.EffectEnded(status="done", **call),
            ev.Promised(text=f"{n} " * 100, **AT),
        ]
    assert len(json.dumps(of(*events))) < 4_500

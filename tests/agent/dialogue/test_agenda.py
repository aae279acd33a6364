"""What waits beneath the open task, as decisions and as the fold keeps it."""

from __future__ import annotations

from typing import Any

from agent import events as ev
from agent.conversation import Conversation, OpenTask, fold
from agent.dialogue.decision import Decision, Situation
from agent.dialogue.policy import decide
from agent.events import EntityFound
from agent.knowledge.retrieval import NoPassageFound
from agent.loading import load_business
from agent.understanding.understander import Understanding, Wish
from tests.conftest import LIBRARY

BUSINESS, TOOLS = load_business(LIBRARY)
ONE, TWO = "2000001", "2000002"


def card(text: str, value: str) -> EntityFound:
    start = text.index(value)
    return EntityFound(type="card_number", value=value, text=value, start=start, end=start + len(value))


def cards(text: str) -> tuple[EntityFound, ...]:
    return tuple(card(text, value) for value in (ONE, TWO) if value in text)


class Talk:
    """A conversation that is decided on turn by turn, its decisions folded as reply.py writes them."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []

    @property
    def state(self) -> Conversation:
        return fold("c", self.events)

    def hear(self, text: str, intent: str | None = None, **understood: Any) -> Decision:
        turn = f"t{len(self.events)}"
        meaning = Understanding(
            text=text, request=text, intent=intent, confidence=0.9, entities=cards(text), **understood
        )
        decision = decide(Situation(self.state, BUSINESS, TOOLS, meaning, NoPassageFound(0.0)))
        for step in decision.chain():
            self.events += [ev.SlotSet(at=1.0, turn_id=turn, name=n, value=v) for n, v in step.slots.items()]
            effect = step.effect_id or f"e{len(self.events)}"
            details = {**step.details(), "effect_id": effect}
            self.events.append(ev.Decided(at=1.0, turn_id=turn, action=step.action, details=details))
            if step.action == "confirm":
                self.events.append(
                    ev.EffectProposed(
                        at=1.0, effect_id=effect, tool=step.tool or "", arguments=dict(step.arguments), question="?"
                    )
                )
        return decision


def actions(decision: Decision) -> list[str]:
    return [step.action for step in decision.chain()]


def test_two_numbers_are_looked_up_one_after_the_other() -> None:
    decision = Talk().hear(f"what do {ONE} and {TWO} owe", "fine_balance")
    assert [dict(step.arguments) for step in decision.chain()] == [{"card_number": ONE}, {"card_number": TWO}]
    assert actions(decision) == ["call", "call"] and decision.put_off == ()


def test_what_needs_more_waits_and_is_told_to_wait() -> None:
    talk = Talk()
    decision = talk.hear(f"a room for {ONE} and {TWO}", "reserve_room")
    assert (decision.action, decision.slot) == ("ask", "day")
    assert talk.state.waiting == decision.put_off == (OpenTask("reserve_room", {"card_number": TWO}),)


def test_an_interrupted_task_goes_on_where_it_was() -> None:
    talk = Talk()
    talk.hear(f"a room for {ONE}", "reserve_room")
    decision = talk.hear(f"what does {TWO} owe", "fine_balance")
    assert actions(decision) == ["call", "ask"]
    assert (talk.state.task, talk.state.slots["card_number"], talk.state.pending) == (
        "reserve_room",
        ONE,
        talk.state.pending,
    )
    assert talk.state.pending and talk.state.pending.slot == "day"


def test_instead_takes_the_place_of_the_open_task() -> None:
    talk = Talk()
    talk.hear(f"a room for {ONE}", "reserve_room")
    talk.hear(f"tell me what {TWO} owes instead", "fine_balance")
    assert talk.state.waiting == () and talk.state.task is None


def test_never_mind_drops_the_top_only_and_all_of_it_drops_all() -> None:
    for words, left in (("never mind", ["drop", "ask"]), ("never mind, all of it", ["drop"])):
        talk = Talk()
        talk.hear(f"a room for {ONE} and {TWO}", "reserve_room")
        assert actions(talk.hear(words, act="never_mind")) == left
        assert talk.state.waiting == ()


def test_the_second_wish_is_served_after_the_first() -> None:
    talk = Talk()
    first, second = f"a room for {ONE}", f"tell me what {TWO} owes"
    wishes = (
        Wish(first, "reserve_room", 0.9, cards(first)),
        Wish(second, "fine_balance", 0.9, cards(second)),
    )
    decision = talk.hear(f"{first} and {second}", "reserve_room", wishes=wishes)
    assert (decision.task, decision.slot) == ("reserve_room", "day")
    assert talk.state.waiting == (OpenTask("fine_balance", {"card_number": TWO}),)
    done = talk.hear("never mind", act="never_mind")
    assert actions(done) == ["drop", "call"] and done.then and dict(done.then.arguments) == {"card_number": TWO}


def test_provenance_names_the_turn_that_said_a_value_even_where_it_waited() -> None:
    talk = Talk()
    talk.hear(f"a room for {ONE} and {TWO}", "reserve_room")
    said_in = talk.state.provenance["card_number"]
    talk.hear("never mind", act="never_mind")
    assert talk.state.slots["card_number"] == TWO
    assert talk.state.provenance["card_number"] == said_in


def test_a_doubtful_date_is_asked_and_not_guessed() -> None:
    talk = Talk()
    text = f"a room for {ONE} on 3/4"
    day = EntityFound(
        type="date", value="2027-03-04", alternative="2027-04-03", text="3/4", start=len(text) - 3, end=len(text)
    )
    meaning = Understanding(
        text=text, request=text, intent="reserve_room", confidence=0.9, entities=(*cards(text), day)
    )
    decision = decide(Situation(talk.state, BUSINESS, TOOLS, meaning, NoPassageFound(0.0)))
    assert (decision.action, decision.options) == ("which", ("2027-03-04", "2027-04-03"))
    assert "day" not in decision.slots
    asked = [
        ev.SlotSet(at=1.0, name="card_number", value=ONE),
        ev.Decided(at=1.0, action="which", details=decision.details()),
    ]
    for reply, chosen in (("april", "2027-04-03"), ("the first one", "2027-03-04"), ("the latter", "2027-04-03")):
        answered = Understanding(text=reply, request=reply, intent=None, confidence=0.1)
        done = decide(Situation(fold("c", asked), BUSINESS, TOOLS, answered, NoPassageFound(0.0)))
        assert (done.action, done.arguments["day"]) == ("confirm", chosen)
    unclear = Understanding(text="purple", request="purple", intent=None, confidence=0.1)
    assert decide(Situation(fold("c", asked), BUSINESS, TOOLS, unclear, NoPassageFound(0.0))).action == "which"


def test_a_journal_without_an_agenda_folds_as_before() -> None:
    old = '{"kind": "decided", "at": 1.0, "action": "ask", "details": {"task": "fine_balance", "slot": "card_number"}}'
    entity = '{"type": "date", "value": "2026-01-01", "text": "x", "start": 0, "end": 1}'
    found = f'{{"kind": "understood", "at": 1.0, "intent": null, "confidence": 0.1, "entities": [{entity}]}}'
    state = fold("c", [ev.load(found), ev.load(old)])
    assert (state.task, state.waiting, state.provenance) == ("fine_balance", (), {})

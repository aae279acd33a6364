"""The fold: what a journal says about its conversation."""

from __future__ import annotations

from agent import events as ev
from agent.conversation import fold
from agent.events import dump, load


def said(turn_id: str, text: str) -> ev.UserSaid:
    return ev.UserSaid(at=1.0, turn_id=turn_id, session_id="s", text=text)


def joined(channel: ev.Channel, session: str = "s") -> ev.SessionJoined:
    return ev.SessionJoined(at=0.0, session_id=session, channel=channel)


def test_turns_keep_their_order_and_both_sides() -> None:
    state = fold("c", [joined("text"), said("1", "hi"), ev.AgentSaid(at=2.0, turn_id="1", text="hello")])
    assert [(t.user_text, t.known_agent_text) for t in state.turns] == [("hi", "hello")]
    assert state.version == 3


def test_on_a_call_only_heard_words_are_known() -> None:
    call = [joined("phone"), said("1", "hi"), ev.AgentSaid(at=2.0, turn_id="1", text="one two three")]
    assert fold("c", call).turns[0].known_agent_text == ""
    cut = ev.Heard(at=3.0, turn_id="1", text="one two", complete=False)
    assert fold("c", [*call, cut]).turns[0].known_agent_text == "one two"


def test_a_question_is_pending_until_the_next_decision() -> None:
    ask = ev.Decided(at=1.0, turn_id="1", action="ask", details={"task": "renew", "slot": "card"})
    state = fold("c", [ask])
    assert state.pending and (state.pending.kind, state.pending.slot, state.task) == ("slot", "card", "renew")
    done = ev.Decided(at=2.0, turn_id="2", action="call", details={"task": None, "finishes": "renew"})
    state.apply(done)
    assert (state.pending, state.task, state.last_task) == (None, None, "renew")


def test_what_is_pending_outlasts_a_turn_that_was_not_heard() -> None:
    check = ev.Decided(at=1.0, turn_id="1", action="check", details={"task": "renew", "slot": "card", "value": "7"})
    again = ev.Decided(at=2.0, turn_id="2", action="say_again", details={"task": "renew"})
    state = fold("c", [check, again])
    assert state.pending and (state.pending.kind, state.pending.value, state.task) == ("check", "7", "renew")


def test_the_same_question_counts_how_often_it_was_asked() -> None:
    ask = ev.Decided(at=1.0, turn_id="1", action="ask", details={"task": "renew", "slot": "card"})
    other = ev.Decided(at=1.0, turn_id="1", action="ask", details={"task": "renew", "slot": "day"})
    assert fold("c", [ask, ask]).asked == 2
    assert fold("c", [ask, ask, other]).asked == 1


def test_turns_without_progress_are_counted_and_an_answer_ends_the_count() -> None:
    unknown = ev.Decided(at=1.0, turn_id="1", action="unknown", details={})
    answered = ev.Decided(at=1.0, turn_id="2", action="answer", details={})
    assert fold("c", [unknown, unknown]).unresolved == 2
    assert fold("c", [unknown, answered]).unresolved == 0


def test_the_ledger_follows_an_effect_to_its_end() -> None:
    events: list[ev.Event] = [
        ev.EffectProposed(at=1.0, turn_id="1", effect_id="e", tool="t", arguments={"a": "1"}, question="Do it?"),
        ev.EffectConfirmed(at=2.0, turn_id="2", effect_id="e"),
        ev.EffectStarted(at=2.0, turn_id="2", effect_id="e", tool="t", arguments={"a": "1"}, effect="once"),
        ev.EffectEnded(at=3.0, turn_id="2", effect_id="e", status="done", result={"says": "Done."}),
        ev.EffectTold(at=4.0, turn_id="2", effect_id="e"),
    ]
    states = [fold("c", events[: n + 1]).effects["e"].state for n in range(len(events))]
    assert states == ["proposed", "confirmed", "started", "done", "done"]
    assert fold("c", events).effects["e"].told


def test_a_session_that_never_left_was_cut_off_when_the_next_one_joins() -> None:
    assert fold("c", [joined("phone"), joined("phone", "s2")]).cut_off
    left = ev.SessionLeft(at=1.0, session_id="s", reason="closed")
    assert not fold("c", [joined("phone"), left, joined("phone", "s2")]).cut_off


def test_a_kind_that_is_not_known_is_kept_and_passed_over() -> None:
    line = '{"kind": "mood_swung", "at": 1.0, "depth": [1, 2]}'
    event = load(line)
    assert isinstance(event, ev.UnknownEvent) and load(dump(event)) == event
    assert '"depth":[1,2]' in dump(event)
    assert fold("c", [event, said("1", "hi")]).turns[0].user_text == "hi"

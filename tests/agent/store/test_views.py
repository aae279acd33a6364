"""The turn log and its siblings are folds: however a journal was written, its rows are the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import events as ev
from agent.events import Event
from agent.store.memory import MemoryJournal
from agent.store.sql import SqlJournal
from agent.store.views import CLOSED, Views, fold

AT = {"at": 10.0, "turn_id": "t1", "session_id": "s1"}


def test_a_turn_is_one_row() -> None:
    events: list[Event] = [
        ev.SessionJoined(channel="browser", at=9.0, session_id="s1"),
        ev.UserSaid(text="cancel 10001", spoken=True, confidence=0.8, **AT),
        ev.Understood(intent="cancel_order", confidence=0.9, language="de", frustration=0.2, **AT),
        ev.Decided(action="call", reasons=["all slots filled"], **AT),
        ev.EffectStarted(effect_id="e1", tool="cancel_order", arguments={}, effect="once", **AT),
        ev.EffectStarted(effect_id="e2", tool="order_status", arguments={}, effect="safe", **AT),
        ev.EffectEnded(effect_id="e1", status="done", **AT),
        ev.Decided(action="ask", reasons=["open question"], **AT),
        ev.AgentSaid(text="Done.", level="grounded", sources=["orders.md"], **AT),
        ev.AgentSaid(text="Anything else?", level="policy", sources=["orders.md", "help.md"], **AT),
        ev.Heard(text="Done.", complete=False, **AT),
        ev.TurnMeasured(stages_ms={"stt": 120.0, "understanding": 8.0}, total_ms=128.0, **AT),
    ]
    (row,) = fold("c", events).turns.values()
    assert (row.conversation_id, row.turn_id, row.session_id, row.version) == ("c", "t1", "s1", 2)
    assert (row.channel, row.started_at, row.spoken) == ("browser", 10.0, True)
    assert (row.user_text, row.intent, row.confidence) == ("cancel 10001", "cancel_order", 0.9)
    assert (row.language, row.frustration) == ("de", 0.2)
    assert (row.decision, row.reasons) == ("call", ("all slots filled", "open question"))
    assert [(tool["tool"], tool["status"]) for tool in row.tools] == [
        ("cancel_order", "done"),
        ("order_status", "started"),
    ]
    assert row.agent_text == "Done.\n\nAnything else?"
    assert (row.heard_text, row.level, row.sources) == ("Done.", "policy", ("orders.md", "help.md"))
    assert (row.stages, row.total_ms) == ({"stt": 120.0, "understanding": 8.0}, 128.0)


def test_nothing_heard_is_not_the_same_as_silence_heard() -> None:
    said: Event = ev.AgentSaid(text="Hello", **AT)
    assert fold("c", [said]).turns["t1"].heard_text is None
    assert fold("c", [said, ev.Heard(text="", complete=False, **AT)]).turns["t1"].heard_text == ""


def test_what_belongs_to_no_turn_makes_no_row() -> None:
    events: list[Event] = [ev.AgentSaid(text="Hello", at=1.0), ev.SlotSet(name="order", value="1", **AT)]
    assert fold("c", events).turns == {}


def test_a_turn_has_the_channel_of_its_session() -> None:
    events: list[Event] = [
        ev.SessionJoined(channel="phone", at=1.0, session_id="s1"),
        ev.SessionJoined(channel="text", at=2.0, session_id="s2"),
        ev.UserSaid(text="by phone", at=3.0, turn_id="t1", session_id="s1"),
        ev.UserSaid(text="by text", at=4.0, turn_id="t2", session_id="s2"),
        ev.HumanSaid(text="from the desk", at=5.0, turn_id="t3"),
        ev.Heard(text="by whatever came last", complete=True, at=5.0, turn_id="t3"),
    ]
    assert [row.channel for row in fold("c", events).turns.values()] == ["phone", "text", "text"]


_ids = st.sampled_from(["1", "2", "3"])
_words = st.text(max_size=12)
_unit = st.floats(0, 1)
_strings = st.lists(_words, max_size=3)
_common = {
    "at": st.floats(0, 2e9),
    "turn_id": st.none() | _ids.map("t".__add__),
    "session_id": st.none() | _ids.map("s".__add__),
}


def _made(event: type, /, **more: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    return st.builds(event, **_common, **more)


_EVENTS: st.SearchStrategy[Event] = st.one_of(
    _made(ev.SessionJoined, channel=st.sampled_from(["text", "phone", "browser", "room", "local"])),
    _made(ev.SessionLeft, reason=st.just("closed")),
    _made(ev.UserSaid, text=_words, spoken=st.booleans(), confidence=_unit),
    _made(ev.Understood, intent=st.none() | _words, confidence=_unit, frustration=_unit),
    _made(ev.SlotSet, name=_words, value=st.none() | _words),
    _made(ev.Decided, action=st.sampled_from(["ask", "call", "answer"]), reasons=_strings),
    _made(
        ev.EffectStarted,
        effect_id=_ids,
        tool=_words,
        arguments=st.just({}),
        effect=st.sampled_from(["once", "safe"]),
    ),
    _made(ev.EffectEnded, effect_id=_ids, status=st.sampled_from(["done", "failed", "unknown"])),
    _made(ev.AgentSaid, text=_words, level=st.sampled_from(["grounded", "policy"]), sources=_strings),
    _made(ev.Heard, text=_words, complete=st.booleans()),
    _made(
        ev.HandOffMoved,
        hand_off_id=_ids,
        state=st.sampled_from(["requested", "offered", "accepted", "resolved", "nobody", "back"]),
        reason=_words,
        brief=_words,
    ),
    _made(ev.TurnMeasured, stages_ms=st.dictionaries(st.sampled_from(["stt", "playout"]), _unit), total_ms=_unit),
    _made(ev.UnknownEvent, kind=st.just("from_the_future")),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(_EVENTS, max_size=6), max_size=8))
def test_both_homes_keep_the_rows_that_a_fold_of_the_journal_makes(appends: list[list[Event]]) -> None:
    asyncio.run(_check(appends))


async def _check(appends: list[list[Event]]) -> None:
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'journal.db'}"
        homes = [MemoryJournal(clock=lambda: 0.0), await SqlJournal.open(url, clock=lambda: 0.0)]
        for home in homes:
            version = 0
            for events in appends:
                version = await home.append("c", version, events)
            folded = fold("c", await home.read("c"))
            await _compare(home, folded)
            await home.close()


async def _compare(home: MemoryJournal | SqlJournal, folded: Views) -> None:
    turns = await home.turn_log("c", limit=1000)
    assert {row.turn_id: row for row in turns} == folded.turns
    assert [(row.started_at, row.version) for row in turns] == sorted((row.started_at, row.version) for row in turns)
    hand_offs = await home.open_hand_offs()
    open_ones = {i: row for i, row in folded.hand_offs.items() if row.state not in CLOSED}
    assert {row.hand_off_id: row for row in hand_offs} == open_ones
    for session_id in ("s1", "s2", "s3"):
        assert await home.find_session(session_id) == ("c" if session_id in folded.sessions else None)

"""The contract that every home of the journal keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from agent.events import (
    Event,
    HandOffMoved,
    HandOffState,
    SessionJoined,
    UnknownEvent,
    UserSaid,
    dump,
    load,
)
from agent.store.journal import Conflict, Lease, Taken
from agent.store.sql import PAGE_EVENTS


def said(text: str, turn_id: str = "t1") -> UserSaid:
    return UserSaid(text=text, at=1.5, turn_id=turn_id, session_id="s1")


def texts(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, UserSaid)]


async def take(stream: Any, count: int) -> list[Event]:
    return [await anext(stream) for _ in range(count)]


async def test_what_is_appended_is_read_in_order(home: Any, conversation_id: str) -> None:
    events = [SessionJoined(channel="phone", at=1.0, session_id="s1"), said("hello"), said("[EMAIL_1]")]
    assert await home.append(conversation_id, 0, events[:1]) == 1
    assert await home.append(conversation_id, 1, events[1:]) == 3
    assert await home.read(conversation_id) == events
    assert await home.read(conversation_id, after=2) == events[2:]
    assert await home.read(conversation_id, after=3) == []
    assert await home.read(f"{conversation_id}-other") == []


async def test_a_long_journal_is_read_whole(home: Any, conversation_id: str) -> None:
    events = [said(str(n)) for n in range(2 * PAGE_EVENTS)]
    await home.append(conversation_id, 0, events)
    assert await home.read(conversation_id) == events
    async with asyncio.timeout(10):
        assert await take(home.watch(conversation_id, 3), len(events) - 3) == events[3:]


async def test_a_kind_of_event_from_another_version_is_kept_as_it_is(home: Any, conversation_id: str) -> None:
    line = '{"kind":"mood_swung","v":7,"at":2.0,"turn_id":"t1","session_id":null,"mood":{"now":"glad"}}'
    await home.append(conversation_id, 0, [load(line)])
    (event,) = await home.read(conversation_id)
    assert isinstance(event, UnknownEvent)
    assert load(dump(event)) == load(line)
    assert await home.turn_log(conversation_id) == []


@pytest.mark.parametrize("expected", [0, 1, 3, 9])
async def test_an_append_at_another_version_conflicts_and_writes_nothing(
    home: Any, conversation_id: str, expected: int
) -> None:
    await home.append(conversation_id, 0, [said("one"), said("two")])
    with pytest.raises(Conflict) as conflict:
        await home.append(conversation_id, expected, [said("late", "t9")])
    assert conflict.value.actual_version == 2
    assert texts(await home.read(conversation_id)) == ["one", "two"]
    assert [row.turn_id for row in await home.turn_log(conversation_id)] == ["t1"]


async def test_an_empty_append_tells_whether_the_version_is_right(home: Any, conversation_id: str) -> None:
    await home.append(conversation_id, 0, [said("one")])
    assert await home.append(conversation_id, 1, []) == 1
    with pytest.raises(Conflict):
        await home.append(conversation_id, 0, [])


async def test_of_two_who_race_for_a_version_exactly_one_wins(home: Any, conversation_id: str) -> None:
    async def race(name: str) -> list[int]:
        won = []
        for version in range(20):
            try:
                await home.append(conversation_id, version, [said(f"{name}{version}")])
                won.append(version)
            except Conflict as conflict:
                assert conflict.actual_version > version
        return won

    won = await asyncio.gather(race("a"), race("b"))
    assert sorted(won[0] + won[1]) == list(range(20))
    spoken = texts(await home.read(conversation_id))
    assert spoken == [f"{'a' if version in won[0] else 'b'}{version}" for version in range(20)]


async def test_many_conversations_are_written_at_once(home: Any) -> None:
    names = [f"c-{uuid4()}" for _ in range(20)]

    async def talk(name: str) -> None:
        for version in range(5):
            await home.append(name, version, [said(f"{name} {version}")])

    await asyncio.gather(*map(talk, names))
    for name in names:
        assert texts(await home.read(name)) == [f"{name} {version}" for version in range(5)]


async def test_an_append_outlives_its_cancelled_caller(home: Any, conversation_id: str) -> None:
    writing = asyncio.create_task(home.append(conversation_id, 0, [said("never lost")]))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    async with asyncio.timeout(10):
        assert texts(await take(home.watch(conversation_id, 0), 1)) == ["never lost"]


async def test_a_watch_gives_what_was_and_then_what_comes(home: Any, conversation_id: str) -> None:
    await home.append(conversation_id, 0, [said("one"), said("two")])
    stream = home.watch(conversation_id, 1)
    async with asyncio.timeout(10):
        assert texts(await take(stream, 1)) == ["two"]
        coming = asyncio.create_task(take(stream, 2))
        await asyncio.sleep(0)
        await home.append(conversation_id, 2, [said("three")])
        await home.append(conversation_id, 3, [said("four")])
        assert texts(await coming) == ["three", "four"]
    await stream.aclose()


async def test_every_watcher_sees_every_event_once(home: Any, conversation_id: str) -> None:
    async with asyncio.timeout(10):
        watching = [asyncio.create_task(take(home.watch(conversation_id, 0), 10)) for _ in range(3)]
        for version in range(10):
            await home.append(conversation_id, version, [said(str(version))])
        for seen in await asyncio.gather(*watching):
            assert texts(seen) == [str(version) for version in range(10)]


async def test_a_watch_ends_when_the_conversation_is_forgotten(home: Any, conversation_id: str) -> None:
    await home.append(conversation_id, 0, [said("one")])
    stream = home.watch(conversation_id, 0)
    async with asyncio.timeout(10):
        await anext(stream)
        await home.forget(conversation_id)
        assert [event async for event in stream] == []


async def test_a_watch_ends_when_the_home_is_closed(home: Any, conversation_id: str) -> None:
    async def all_of_it() -> list[Event]:
        return [event async for event in home.watch(conversation_id, 0)]

    watching = asyncio.create_task(all_of_it())
    await home.append(conversation_id, 0, [said("one")])
    async with asyncio.timeout(10):
        seen = home.watch(conversation_id, 0)
        await anext(seen)
        await home.close()
        assert [event async for event in seen] == []
        assert len(await watching) <= 1


async def test_a_lease_is_held_until_it_is_released(home: Any, conversation_id: str, clock: Any) -> None:
    async with await home.lease(conversation_id, "turn", "a", 30) as lease:
        assert isinstance(lease, Lease)
        assert await home.lease(conversation_id, "turn", "b", 30) == Taken("a", clock.now + 30)
        assert await home.lease(conversation_id, "turn", "a", 30) == Taken("a", clock.now + 30)
        assert isinstance(await home.lease(conversation_id, "speaker", "b", 30), Lease)
        assert isinstance(await home.lease(f"{conversation_id}-2", "turn", "b", 30), Lease)
    assert isinstance(await home.lease(conversation_id, "turn", "b", 30), Lease)


async def test_a_renewed_lease_lasts_longer(home: Any, conversation_id: str, clock: Any) -> None:
    lease = await home.lease(conversation_id, "turn", "a", 30)
    clock.now += 29
    assert await lease.renew()
    clock.now += 29
    assert await home.lease(conversation_id, "turn", "b", 30) == Taken("a", clock.now + 1)


async def test_an_expired_lease_passes_on_and_cannot_be_had_back(home: Any, conversation_id: str, clock: Any) -> None:
    lost = await home.lease(conversation_id, "turn", "a", 30)
    clock.now += 30
    assert isinstance(await home.lease(conversation_id, "turn", "a", 30), Lease)
    assert not await lost.renew()
    await lost.release()
    assert await home.lease(conversation_id, "turn", "b", 30) == Taken("a", clock.now + 30)


async def test_an_expired_lease_that_nobody_took_can_be_renewed(home: Any, conversation_id: str, clock: Any) -> None:
    lease = await home.lease(conversation_id, "turn", "a", 30)
    clock.now += 31
    assert await lease.renew()
    assert isinstance(await home.lease(conversation_id, "turn", "b", 30), Taken)


async def test_of_many_who_want_a_lease_one_gets_it(home: Any, conversation_id: str) -> None:
    wanting = [home.lease(conversation_id, "turn", str(n), 30) for n in range(10)]
    got = await asyncio.gather(*wanting)
    assert sum(isinstance(each, Lease) for each in got) == 1


async def test_a_token_finds_its_conversation(home: Any, conversation_id: str) -> None:
    tokens = [await home.issue_token(conversation_id) for _ in range(2)]
    assert len(set(tokens)) == 2
    assert all(len(token) == 22 for token in tokens)
    assert [await home.find_token(token) for token in tokens] == [conversation_id] * 2
    assert await home.find_token(tokens[0][:-1]) is None
    assert await home.find_token("") is None


async def test_a_session_finds_its_conversation(home: Any, conversation_id: str) -> None:
    call_sid = f"CA{uuid4().hex}"
    assert await home.find_session(call_sid) is None
    joined = SessionJoined(channel="phone", at=1.0, session_id=call_sid)
    await home.append(conversation_id, 0, [joined])
    assert await home.find_session(call_sid) == conversation_id


async def test_the_turn_log_gives_the_newest_turns_oldest_first(home: Any, conversation_id: str) -> None:
    events = [said(str(n), f"t{n}").model_copy(update={"at": float(n)}) for n in range(5)]
    await home.append(conversation_id, 0, events)
    assert [row.user_text for row in await home.turn_log(conversation_id, limit=2)] == ["3", "4"]
    assert [row.user_text for row in await home.turn_log(conversation_id)] == list("01234")


async def test_the_turn_log_of_all_conversations_is_in_order_of_time(home: Any) -> None:
    later = 4e9  # seconds; beyond whatever else the database holds
    first, second = sorted(f"c-{uuid4()}" for _ in range(2))
    await home.append(second, 0, [said("two").model_copy(update={"at": later})])
    await home.append(first, 0, [said("one").model_copy(update={"at": later})])
    await home.append(second, 1, [said("three", "t2").model_copy(update={"at": later + 1})])
    assert [row.user_text for row in await home.turn_log(limit=3)] == ["one", "two", "three"]
    for each in (first, second):
        await home.forget(each)


async def test_a_turn_outside_every_session_has_the_last_channel(home: Any, conversation_id: str) -> None:
    for version, channel in enumerate(["text", "phone"]):
        joined = SessionJoined(channel=channel, at=9.0 - version, session_id=f"s{version}")
        await home.append(conversation_id, version, [joined])
    await home.append(conversation_id, 2, [UserSaid(text="hello", at=1.0, turn_id="t1")])
    await home.append(conversation_id, 3, [UserSaid(text="hello", at=1.0, turn_id="t2", session_id="s0")])
    assert [row.channel for row in await home.turn_log(conversation_id)] == ["phone", "text"]


async def test_hand_offs_are_open_until_resolved_or_back(home: Any, conversation_id: str) -> None:
    def moved(hand_off_id: str, state: HandOffState, at: float, **more: str) -> HandOffMoved:
        return HandOffMoved(hand_off_id=hand_off_id, state=state, at=at, session_id="s1", **more)

    events = [
        SessionJoined(channel="phone", at=1.0, session_id="s1"),
        moved("h1", "requested", 5.0, reason="asked", brief="Wants a refund."),
        moved("h2", "requested", 3.0),
        moved("h3", "requested", 4.0),
        moved("h1", "accepted", 6.0),
        moved("h2", "resolved", 7.0),
        moved("h3", "back", 7.0),
        moved("h4", "nobody", 2.0),
    ]
    for version, event in enumerate(events):
        await home.append(conversation_id, version, [event])
    rows = [row for row in await home.open_hand_offs() if row.conversation_id == conversation_id]
    assert [(row.hand_off_id, row.state) for row in rows] == [("h4", "nobody"), ("h1", "accepted")]
    assert (rows[1].reason, rows[1].brief) == ("asked", "Wants a refund.")
    assert (rows[1].requested_at, rows[1].channel) == (5.0, "phone")


async def test_a_forgotten_conversation_leaves_nothing_and_may_begin_again(home: Any, conversation_id: str) -> None:
    other = f"{conversation_id}-other"
    for each in (conversation_id, other):
        joined = SessionJoined(channel="text", at=1.0, session_id=f"session of {each}")
        moved = HandOffMoved(hand_off_id="h1", state="requested", at=2.0)
        await home.append(each, 0, [joined, said("hello"), moved])
        await home.lease(each, "turn", "a", 30)
    token, other_token = await home.issue_token(conversation_id), await home.issue_token(other)

    await home.forget(conversation_id)

    assert await home.read(conversation_id) == []
    assert await home.turn_log(conversation_id) == []
    assert conversation_id not in {row.conversation_id for row in await home.open_hand_offs()}
    assert await home.find_token(token) is None
    assert await home.find_session(f"session of {conversation_id}") is None
    assert isinstance(await home.lease(conversation_id, "turn", "b", 30), Lease)
    assert await home.append(conversation_id, 0, [said("again")]) == 1
    assert len(await home.read(other)) == 3
    assert len(await home.turn_log(other)) == 1
    assert await home.find_token(other_token) == other


async def test_a_writer_who_knows_more_than_there_is_sees_that_it_was_forgotten(
    home: Any, conversation_id: str
) -> None:
    await home.append(conversation_id, 0, [said("one")])
    await home.forget(conversation_id)
    with pytest.raises(Conflict) as conflict:
        await home.append(conversation_id, 1, [said("two")])
    assert conflict.value.actual_version == 0

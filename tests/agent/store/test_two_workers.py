"""One home, two workers: what the contract promises across processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agent.events import AgentSaid, Event, SessionJoined, UserSaid
from agent.live import LiveConversation
from agent.store.journal import Conflict, Lease, Taken
from agent.store.vault import Vault

pytestmark = pytest.mark.usefixtures("kept")

KEY = bytes(range(32))


def said(text: str) -> UserSaid:
    return UserSaid(text=text, at=1.5, turn_id="t1", session_id="s1")


def texts(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, UserSaid)]


async def test_what_one_writes_the_other_reads(home: Any, another: Any, conversation_id: str) -> None:
    other = await another()
    for version in range(0, 6, 2):
        await home.append(conversation_id, version, [said(str(version))])
        await other.append(conversation_id, version + 1, [said(str(version + 1))])
        assert texts(await home.read(conversation_id)) == texts(await other.read(conversation_id))
    assert texts(await other.read(conversation_id, after=2)) == ["2", "3", "4", "5"]


async def test_a_watch_sees_what_the_other_writes_and_its_end(home: Any, another: Any, conversation_id: str) -> None:
    other = await another()
    stream = other.watch(conversation_id, 0)
    async with asyncio.timeout(20):
        for version in range(3):
            await home.append(conversation_id, version, [said(str(version))])
            assert await anext(stream) == said(str(version))
        await home.forget(conversation_id)
        assert [event async for event in stream] == []


async def test_a_lease_of_one_is_taken_for_the_other(home: Any, another: Any, conversation_id: str, clock: Any) -> None:
    other = await another()
    lease = await home.lease(conversation_id, "turn", "a", 30)
    assert await other.lease(conversation_id, "turn", "b", 30) == Taken("a", clock.now + 30)
    await lease.release()
    assert isinstance(await other.lease(conversation_id, "turn", "b", 30), Lease)
    clock.now += 31
    assert isinstance(await home.lease(conversation_id, "turn", "a", 30), Lease)


async def test_two_writers_at_once_write_each_version_once(home: Any, another: Any, conversation_id: str) -> None:
    async def write(home: Any, name: str) -> None:
        version, written = 0, 0
        while written < 15:
            try:
                version = await home.append(conversation_id, version, [said(f"{name}{written}")])
                written += 1
            except Conflict:
                version += len(await home.read(conversation_id, after=version))

    other = await another()
    await asyncio.gather(write(home, "x"), write(other, "y"))
    spoken = texts(await other.read(conversation_id))
    assert spoken == texts(await home.read(conversation_id))
    for name in "xy":
        assert [text for text in spoken if text[0] == name] == [f"{name}{n}" for n in range(15)]


async def test_what_one_forgets_is_gone_for_the_other(home: Any, another: Any, conversation_id: str) -> None:
    other = await another()
    await home.append(conversation_id, 0, [said("hello")])
    assert texts(await other.read(conversation_id)) == ["hello"]
    await other.forget(conversation_id)
    assert await home.read(conversation_id) == []
    with pytest.raises(Conflict):
        await home.append(conversation_id, 1, [said("late")])
    assert await home.append(conversation_id, 0, [said("anew")]) == 1
    assert texts(await other.read(conversation_id)) == ["anew"]


@pytest.mark.usefixtures("broken_deletes")
async def test_the_vaults_key_goes_first(home: Any, conversation_id: str) -> None:
    """A disk that fails in the second step leaves events, but no key."""
    vault = await Vault(home, KEY).open(conversation_id)
    vault.protect("EMAIL", "jane@example.com", "jane@example.com")
    await vault.save()
    await home.append(conversation_id, 0, [said("[EMAIL_1]")])
    with pytest.raises(Exception, match=r"disk|did not deliver"):
        await home.forget(conversation_id)
    assert await home.vault_key(conversation_id) is None
    assert await home.vault_values(conversation_id) == []
    assert texts(await home.read(conversation_id)) == ["[EMAIL_1]"]


async def test_a_customer_who_types_while_calling_is_one_conversation(
    home: Any, another: Any, conversation_id: str, clock: Any
) -> None:
    """Both sessions, on two workers, see one order of turns and each other's words."""
    homes = [home, await another()]
    channels = [("call", "phone"), ("chat", "text")]
    sessions = []
    for each, (session_id, channel) in zip(homes, channels, strict=True):
        vault = await Vault(each, KEY).open(conversation_id)
        live = await LiveConversation.open(
            conversation_id, journal=each, vault=vault, session_id=session_id, clock=clock
        )
        await live.record(SessionJoined(channel=channel, **live.stamp()))  # type: ignore[arg-type]
        sessions.append(live)

    async def talk(live: LiveConversation) -> None:
        for n in range(8):
            stamp = live.stamp(f"{live.session_id}-{n}")
            await live.record(UserSaid(text=f"{live.session_id} asks {n}", **stamp))
            await asyncio.sleep(0)
            await live.record(AgentSaid(text=f"{live.session_id} is told {n}", **stamp))

    await asyncio.gather(*map(talk, sessions))
    for live in sessions:
        await live.refresh()
    call, chat = (live.state for live in sessions)
    assert call == chat
    assert [turn.user_text for turn in call.turns] == texts(await home.read(conversation_id))
    for name in ("call", "chat"):
        own = [(t.user_text, t.agent_text) for t in call.turns if t.turn_id.startswith(name)]
        assert own == [(f"{name} asks {n}", f"{name} is told {n}") for n in range(8)]

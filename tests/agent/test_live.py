"""A live conversation: its fold goes on, it does not begin again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent import events as ev
from agent.events import Event
from agent.live import LiveConversation
from agent.store.memory import MemoryJournal
from agent.store.vault import Vault


class CountingJournal(MemoryJournal):
    """Counts the events that are read from it."""

    events_read = 0

    async def read(self, conversation_id: str, after: int = 0) -> list[Event]:
        events = await super().read(conversation_id, after)
        self.events_read += len(events)
        return events


async def open_live(journal: MemoryJournal, session: str = "s") -> LiveConversation:
    vault = await Vault(journal, bytes(32)).open("c")
    return await LiveConversation.open("c", journal=journal, vault=vault, session_id=session, clock=lambda: 1.0)


def turn(number: int) -> Sequence[Event]:
    stamp = {"at": 1.0, "turn_id": str(number)}
    return ev.UserSaid(text=f"question {number}", **stamp), ev.AgentSaid(text="answer", **stamp)


async def test_a_turn_of_a_long_conversation_reads_only_its_last_event_and_what_others_wrote() -> None:
    journal = CountingJournal(clock=lambda: 1.0)
    live, other = await open_live(journal), await open_live(journal, "s2")
    for number in range(200):
        await live.refresh()
        await live.record(*turn(number))
    assert journal.events_read == 199
    await other.record(*turn(200))
    journal.events_read = 0
    await live.refresh()
    assert journal.events_read == 3 and live.state.turns[-1].user_text == "question 200"


async def test_what_is_no_longer_wanted_after_catching_up_is_not_written() -> None:
    journal = MemoryJournal(clock=lambda: 1.0)
    live, other = await open_live(journal), await open_live(journal, "s2")
    learned = ev.FactLearned(at=1.0, name="name", value="[NAME_1]")
    wrote = await asyncio.gather(*(one.record_if(lambda state: not state.facts, learned) for one in (live, other)))
    assert sorted(wrote) == [False, True]
    assert len(await journal.read("c")) == 1

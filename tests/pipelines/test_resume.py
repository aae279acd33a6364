"""A process killed between any two appends of a conversation: what follows is what would have followed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from agent.events import AgentSaid, EffectEnded, EffectStarted, Event, Heard, SessionJoined, SummaryMade, UserSaid, dump
from agent.live import LiveConversation
from agent.parts import Parts, TurnHeard
from agent.reply import reply, retrieve, understand
from agent.resume import find_cut_turn, finish, seems_cut
from agent.store.passing import Home, Passing
from agent.store.redis import RedisFront
from agent.store.sql import SqlJournal
from agent.store.vault import Vault
from agent.tools.running import ToolRunner
from pipelines.app import make_app
from pipelines.runtime import Runtime
from pipelines.turns import present
from tests.servers import RedisServer, running

CUTS = 100
"""Of each home, so that there are 200 with both."""
SEED = 20261128
CONVERSATION = "conversation-of-the-test"
KEY = bytes(range(32))
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
SCRIPTS = [
    ["what do I owe in late fees?", "my card number is 2000001", "how many books can I borrow at once?"],
    ["please renew my books", "2000001", "renew my books please", "thanks, bye"],
    ["I want to reserve the study room", "card 2000001", "next Friday", "yes please", "can I talk to a real person"],
    ["tell me by e-mail when a book is back, I am jo.bloggs@example.com", "Moby Dick", "blargh flurb", "no thanks"],
    ["I'd like to book the study room for tomorrow, card 2000001", "what are your opening hours?", "no", "hello"],
]


class Killed(Exception):
    """The process is no more."""


class Mortal(Passing[Home]):
    """A home as a process sees it that is killed at its `appends`th append, before or after it is written."""

    def __init__(self, home: Home, appends: int | None = None, *, written: bool = True) -> None:
        super().__init__(home)
        self.appends = 0
        self._last = appends
        self._written = written

    async def append(self, conversation_id: str, expected_version: int, events: Sequence[Event]) -> int:
        self.appends += 1
        if self._last is not None and self.appends >= self._last:
            if self.appends == self._last and self._written:
                await self._home.append(conversation_id, expected_version, events)
            raise Killed
        return await self._home.append(conversation_id, expected_version, events)


@dataclass
class World:
    """A library of its own, with a home for its conversation."""

    home: Home
    parts: Parts
    folder: Path

    async def opened(self, home: Home) -> LiveConversation:
        vault = await Vault(home, KEY).open(CONVERSATION)
        return await LiveConversation.open(
            CONVERSATION, journal=home, vault=vault, session_id="s", clock=lambda: NOW.timestamp()
        )

    async def play(self, script: Sequence[str], home: Mortal) -> None:
        """Start, finish what was cut, and go on with what has not been said yet."""
        live = await self.opened(home)
        if "s" not in live.state.sessions:
            await live.record(SessionJoined(channel="text", **live.stamp()))
        events = await home.read(CONVERSATION)
        cut = find_cut_turn(CONVERSATION, events)
        assert seems_cut(live.state) or cut is None
        if cut:
            async with aclosing(finish(cut, live, self.parts)) as acts:
                _ = [act async for act in acts]
        said = sum(isinstance(event, UserSaid) for event in events)
        for number, text in enumerate(script[said:], said):
            heard = self.parts.understander.hear(text, live.vault, live.state.pending, spoken=False)
            turn = TurnHeard(f"turn-{number}", self.parts.understander.protect(heard, live.vault), "text")
            understood = await understand(turn, live, self.parts)
            found = await retrieve(understood, self.parts)
            async with aclosing(reply(turn, understood, found, live, self.parts)) as acts:
                _ = [act async for act in acts]
            await live.record(Heard(text=live.state.turns[-1].agent_text, complete=True, **live.stamp(turn.turn_id)))

    async def told(self) -> list[str]:
        """The journal, but for what comes behind the replies: what was delivered, and the running summary."""
        events = await self.home.read(CONVERSATION)
        return [dump(event) for event in events if not isinstance(event, Heard | SummaryMade)]

    def shelves(self) -> list[str]:
        """All that the tools have changed."""
        path = self.folder / "library.db"
        if not path.exists():
            return []
        with sqlite3.connect(path) as library:
            return list(library.iterdump())


MakeWorld = Callable[[str], AbstractAsyncContextManager[World]]


@pytest.fixture(params=["sqlite", "sqlite+redis"])
async def make_world(request: pytest.FixtureRequest, runtime: Runtime, tmp_path: Path) -> AsyncIterator[MakeWorld]:
    server = RedisServer() if request.param == "sqlite+redis" else None

    @asynccontextmanager
    async def make(name: str) -> AsyncIterator[World]:
        folder = tmp_path / name
        folder.mkdir()
        home: Home
        home = sql = await SqlJournal.open(f"sqlite:///{folder}/journal.db", clock=NOW.timestamp)
        if server:
            async with Redis.from_url(server.url) as redis:
                await redis.flushall()
            home = await RedisFront.open(sql, server.url, clock=NOW.timestamp)
        parts = runtime.parts
        runner = ToolRunner(
            parts.tools,
            data_dir=folder,
            phrases=parts.phrases,
            who=parts.business.hand_off.who,
            understander=parts.understander,
            today=lambda: NOW,
        )
        yield World(home, replace(parts, runner=runner, memory=None), folder)  # what is learned comes behind the turns
        await home.close()

    with running(server) if server else nullcontext():
        yield make


async def test_a_kill_between_any_two_appends_changes_nothing_in_what_follows(make_world: MakeWorld) -> None:
    expected = []
    for number, script in enumerate(SCRIPTS):
        async with make_world(f"whole-{number}") as world:
            home = Mortal(world.home)
            await world.play(script, home)
            expected.append((home.appends, await world.told(), world.shelves()))
    points = [
        (number, appends, written)
        for number, (total, *_) in enumerate(expected)
        for appends in range(1, total + 1)
        for written in (False, True)
    ]
    for number, appends, written in random.Random(SEED).sample(points, CUTS):
        async with make_world(f"cut-{number}-{appends}-{written}") as world:
            with pytest.raises(Killed):
                await world.play(SCRIPTS[number], Mortal(world.home, appends, written=written))
            await world.play(SCRIPTS[number], Mortal(world.home))
            _, told, shelves = expected[number]
            assert await world.told() == told, (number, appends, written)
            assert world.shelves() == shelves, (number, appends, written)


async def test_an_effect_whose_tool_is_not_keyed_is_not_run_again(make_world: MakeWorld) -> None:
    """It may have happened: its outcome is unknown, is told so, and a second wish for it is not granted blindly."""
    async with make_world("unkeyed") as world:
        tools = {name: replace(tool, keyed=False) for name, tool in world.parts.tools.items()}
        world.parts.runner.tools = tools
        script = ["please renew my books, my card number is 2000001"]
        with pytest.raises(Killed):
            await world.play(script, Mortal(world.home, 4))
        events = await world.home.read(CONVERSATION)
        assert isinstance(events[-1], EffectStarted)
        await world.play([*script, *script], Mortal(world.home))
        events = await world.home.read(CONVERSATION)
        unknown = world.parts.phrases.say("tool_unknown", who=world.parts.business.hand_off.who)
        assert [event.status for event in events if isinstance(event, EffectEnded)] == ["unknown"]
        assert [event.text for event in events if isinstance(event, AgentSaid)] == [unknown, unknown]
        assert world.shelves() == []


# What a client of the chat sees of it


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


ASKED = "how many books can I borrow at once?"


async def cut_off(runtime: Runtime, client: httpx.AsyncClient, session_id: str | None = None) -> tuple[str, str]:
    """A conversation whose last turn was journalled by a process that is gone; its token and id."""
    token = (await client.post("/chat", json={"text": "hello", "token": None})).json()["token"]
    conversation_id = await runtime.journal.find_token(token)
    assert conversation_id
    live = await runtime.open(conversation_id, session_id or f"chat-{conversation_id}", "text")
    await live.record(UserSaid(text=ASKED, **live.stamp("cut")))
    return token, conversation_id


async def words(runtime: Runtime, conversation_id: str) -> tuple[list[str], list[str]]:
    events = await runtime.journal.read(conversation_id)
    said = [event.text for event in events if isinstance(event, UserSaid)]
    return said, [event.text for event in events if isinstance(event, AgentSaid)]


async def test_the_history_has_the_answer_that_was_cut_off(runtime: Runtime, client: httpx.AsyncClient) -> None:
    token, conversation_id = await cut_off(runtime, client)
    for _ in range(2):
        turns = (await client.get("/chat/history", params={"token": token})).json()["turns"]
        assert [turn["who"] for turn in turns] == ["customer", "agent"] * 2
        assert turns[2]["text"] == ASKED and turns[3]["sources"]
    assert len((await words(runtime, conversation_id))[1]) == 2


async def test_words_that_are_sent_again_are_said_once(runtime: Runtime, client: httpx.AsyncClient) -> None:
    token, conversation_id = await cut_off(runtime, client)
    answer = (await client.post("/chat", json={"text": ASKED, "token": token})).json()
    said, told = await words(runtime, conversation_id)
    assert said == ["hello", ASKED] and told[1:] == [answer["text"]] and answer["sources"]


async def test_other_words_get_the_answer_that_is_owed_before_their_own(
    runtime: Runtime, client: httpx.AsyncClient
) -> None:
    token, conversation_id = await cut_off(runtime, client)
    answer = (await client.post("/chat", json={"text": "thanks, bye", "token": token})).json()
    said, told = await words(runtime, conversation_id)
    assert said == ["hello", ASKED, "thanks, bye"] and len(told) == 3
    assert answer["text"] == "\n\n".join(told[1:])


async def test_a_turn_that_a_living_session_answers_is_left_to_it(runtime: Runtime, client: httpx.AsyncClient) -> None:
    token, conversation_id = await cut_off(runtime, client, "ws-of-another-server")
    live = await runtime.open(conversation_id, "ws-of-another-server", "text")
    async with present(runtime, live):
        turns = (await client.get("/chat/history", params={"token": token})).json()["turns"]
        assert [turn["who"] for turn in turns] == ["customer", "agent", "customer"]
    turns = (await client.get("/chat/history", params={"token": token})).json()["turns"]
    assert [turn["who"] for turn in turns] == ["customer", "agent"] * 2

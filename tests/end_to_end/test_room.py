"""Rooms on a real LiveKit server: people with microphones, other agents, lost connections."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from livekit import api, rtc
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.livekit.transport import LiveKitParams as MediaParams
from pipecat.workers.runner import WorkerRunner

from lab.caller import FliteCaller, WhisperEar
from lab.carriers.line import AUDIBLE_PEAK
from lab.carriers.mulaw import Samples
from lab.livekit_server.server import LiveKitServer, ServerUnavailable
from tests.conftest import CI, LIBRARY
from tests.end_to_end.server import Server
from transports.livekit import AGENT_IDENTITY, LiveKitParams, PresencePolicy, RoomTransport, livekit_routes

# Building the server, where there is none, is not the tests' own time.
pytestmark = pytest.mark.timeout(180, func_only=True)

RATE_HZ = 16_000
FRAME_SAMPLES = RATE_HZ // 50
QUIET_SECS = 1.5
KEYS = ("key", "a-secret-that-is-long-enough-for-rooms")


@pytest.fixture(scope="module")
def livekit() -> Iterator[LiveKitServer]:
    """A real server; skipped on a machine that can have none, but not in CI."""
    try:
        server = LiveKitServer.find_or_build()
    except ServerUnavailable as fault:
        if CI:
            pytest.fail(str(fault))
        pytest.skip(str(fault))
    with server:
        yield server


@pytest.fixture(scope="module")
def rooms(livekit: LiveKitServer, data_dirs: Any) -> Iterator[Server]:
    """The library's server, which answers in rooms."""
    env = {
        "LIVEKIT_URL": livekit.url,
        "LIVEKIT_API_KEY": livekit.api_key,
        "LIVEKIT_API_SECRET": livekit.api_secret,
    }
    with Server(data_dirs("rooms"), LIBRARY, **env) as server:
        yield server


class Participant:
    """Somebody in a room: a microphone that is never off, an ear for the agent, messages."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self.room = rtc.Room()
        self.messages: list[dict[str, Any]] = []
        self._source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=100)
        self._to_say: asyncio.Queue[Samples] = asyncio.Queue()
        self._agent: asyncio.Future[rtc.AudioStream] = asyncio.get_running_loop().create_future()
        self.room.on("track_subscribed", self._on_track)
        self.room.on("data_received", lambda packet: self.messages.append(json.loads(packet.data)))

    async def __aenter__(self) -> Self:
        await self.room.connect(self._url, self._token)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        self._microphone = asyncio.create_task(self._speak())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._microphone.cancel()
        await self.room.disconnect()
        await self._source.aclose()
        if self._agent.done():
            await self._agent.result().aclose()

    def agents(self) -> list[str]:
        """Identities of the agents whom this participant sees."""
        agent = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        return [p.identity for p in self.room.remote_participants.values() if p.kind == agent]

    async def say(self, pcm16: Samples) -> None:
        """Speak; returns when the last of it was spoken."""
        self._to_say.put_nowait(pcm16)
        await self._to_say.join()

    async def hear(self) -> Samples:
        """The agent's next stretch of speech, by its sound, until it has been quiet for a while."""
        pieces: list[Samples] = []
        quiet_samples = 0
        async for event in await self._agent:
            piece = np.frombuffer(event.frame.data, dtype=np.int16)
            audible = np.abs(piece.astype(int)).max() >= AUDIBLE_PEAK
            quiet_samples = 0 if audible else quiet_samples + len(piece)
            if audible or pieces:
                pieces.append(piece)
            if pieces and quiet_samples >= QUIET_SECS * RATE_HZ:
                break
        return np.concatenate(pieces)

    async def send(self, message: dict[str, Any]) -> None:
        await self.room.local_participant.publish_data(json.dumps(message), reliable=True)

    async def press(self, digit: str) -> None:
        await self.room.local_participant.publish_dtmf(code=int(digit), digit=digit)

    async def _speak(self) -> None:
        while True:
            speech = None if self._to_say.empty() else self._to_say.get_nowait()
            for piece in _frames(np.zeros(FRAME_SAMPLES, np.int16) if speech is None else speech):
                await self._source.capture_frame(rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, FRAME_SAMPLES))
            if speech is not None:
                self._to_say.task_done()

    def _on_track(self, track: rtc.Track, _: Any, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == AGENT_IDENTITY and not self._agent.done():
            stream = rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1)
            self._agent.set_result(stream)


def _frames(pcm16: Samples) -> list[Samples]:
    padded = np.pad(pcm16, (0, -len(pcm16) % FRAME_SAMPLES))
    return list(padded.reshape(-1, FRAME_SAMPLES))


async def until(holds: Any) -> None:
    """Wait for what another process or thread does; the test's own timeout ends it."""
    while not holds():  # noqa: ASYNC110 - the media library and other processes set no event of ours
        await asyncio.sleep(0.05)


# A question, spoken to the whole server.


async def ask_token(server: Server, **body: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.post(f"{server.url}/livekit/token", json=body)
    assert response.status_code == 201, response.text
    ticket: dict[str, Any] = response.json()
    return ticket


def enter(ticket: dict[str, Any]) -> Participant:
    return Participant(ticket["server_url"], ticket["participant_token"])


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [e for e in events if e["kind"] == kind]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def mostly(heard: str, told: str) -> bool:
    return len(words(heard) & words(told)) >= 0.6 * len(words(told))


async def test_a_question_in_a_room_is_answered_until_its_caller_leaves(rooms: Server, ear: WhisperEar) -> None:
    ticket = await ask_token(rooms, participant_name="Ann")
    async with enter(ticket) as ann:
        greeting = await ann.hear()
        question, rate_hz = FliteCaller("rms").synthesise("How many books can I borrow at the same time?")
        assert rate_hz == RATE_HZ
        await ann.say(question)
        answer = await ann.hear()
    await until(lambda: of_kind(rooms.events(ticket["conversation"]), "session_left"))
    events = rooms.events(ticket["conversation"])
    assert [e["channel"] for e in of_kind(events, "session_joined")] == ["room"]
    assert {"books", "borrow"} <= words(of_kind(events, "user_said")[0]["text"])
    greeted, told = (e["text"] for e in of_kind(events, "agent_said"))
    heard = [await asyncio.to_thread(ear.hear, sound, RATE_HZ) for sound in (greeting, answer)]
    assert mostly(heard[0], greeted), (heard[0], greeted)
    assert mostly(heard[1], told), (heard[1], told)
    assert [e["complete"] for e in of_kind(events, "heard")] == [True, True]
    assert events[-1]["kind"] == "session_left"
    captions = [m["data"]["text"] for m in ann.messages if m["type"] == "user-transcription" and m["data"]["final"]]
    assert {"books", "borrow"} <= words(" ".join(captions))


async def test_a_second_token_for_a_room_brings_no_second_agent(rooms: Server) -> None:
    asked = [ask_token(rooms, room_name="shared", participant_identity=name) for name in ("ann", "bob")]
    first, second = await asyncio.gather(*asked)
    (conversation,) = [told["conversation"] for told in (first, second) if "conversation" in told]
    async with enter(first) as ann, enter(second) as bob:
        await ann.hear()
        assert ann.agents() == bob.agents() == [AGENT_IDENTITY]
    joined = of_kind(rooms.events(conversation), "session_joined")
    assert len(joined) == 1


async def test_a_chat_goes_on_in_a_room(rooms: Server) -> None:
    typed = await asyncio.to_thread(rooms.say, "How many books can I borrow?")
    ticket = await ask_token(rooms, participant_attributes={"conversation": typed["token"], "plan": "gold"})
    assert ticket["conversation"] == typed["token"]
    assert typed["token"] not in json.dumps(_claims(ticket["participant_token"]))
    async with enter(ticket) as caller:
        await caller.hear()
    channels = [e["channel"] for e in of_kind(rooms.events(typed["token"]), "session_joined")]
    assert channels[-1] == "room"


async def test_an_unknown_conversation_is_refused_with_a_clear_word(rooms: Server) -> None:
    body = {"participant_attributes": {"conversation": "0" * 32}}
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{rooms.url}/livekit/token", json=body)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_token"


# The token endpoint by itself.


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = api.TokenVerifier(*KEYS).verify(token, verify_signature=False).asdict()
    return claims


class Edge:
    """The endpoint without a server behind it; `called` are the rooms that an agent was called into."""

    def __init__(self, params: LiveKitParams | None) -> None:
        self.called: list[tuple[str, str | None]] = []
        self.agent_tokens: list[str] = []
        app = FastAPI()
        app.include_router(livekit_routes(params, self._call_agent))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge")

    async def _call_agent(self, room: str, agent_token: str, conversation: str | None) -> str:
        self.called.append((room, conversation))
        self.agent_tokens.append(agent_token)
        return conversation or "new"

    async def post(self, body: Any) -> httpx.Response:
        return await self._client.post("/livekit/token", json=body)


@pytest.fixture
def edge() -> Edge:
    return Edge(LiveKitParams("ws://rooms", *KEYS))


async def test_a_token_says_what_was_asked_and_permits_no_more(edge: Edge) -> None:
    body = {
        "room_name": "help",
        "participant_identity": "ann",
        "participant_name": "Ann",
        "participant_metadata": "from the app",
        "participant_attributes": {"plan": "gold", "conversation": "known"},
        "room_config": {"agents": [{"agent_name": "another"}]},
    }
    response = await edge.post(body)
    assert response.status_code == 201
    assert response.json()["server_url"] == "ws://rooms" and response.json()["conversation"] == "known"
    token = response.json()["participant_token"]
    claims = api.TokenVerifier(*KEYS).verify(token)
    assert (claims.identity, claims.name, claims.metadata) == ("ann", "Ann", "from the app")
    assert claims.attributes == {"plan": "gold"}
    assert claims.room_config is None
    assert claims.video and claims.video.room == "help" and claims.video.can_publish_sources == ["microphone"]
    assert not (claims.video.room_admin or claims.video.room_create or claims.video.can_update_own_metadata)
    assert edge.called == [("help", "known")]
    agent = api.TokenVerifier(*KEYS).verify(edge.agent_tokens[0])
    assert (agent.kind, agent.video and agent.video.room) == ("agent", "help")


async def test_a_request_that_names_nothing_gets_a_room_of_its_own(edge: Edge) -> None:
    first, second = [(await edge.post({})).json() for _ in range(2)]
    assert len({room for room, _ in edge.called}) == 2
    assert _claims(first["participant_token"])["video"] != _claims(second["participant_token"])["video"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"room_name": "no spaces"},
        {"room_name": 7},
        {"room_name": "a" * 129},
        {"participant_identity": "ann\n"},
        {"participant_identity": AGENT_IDENTITY},
        {"participant_name": ["Ann"]},
        {"participant_metadata": "x" * 4_001},
        {"participant_attributes": "plan"},
        {"participant_attributes": {"plan": 1}},
        {"participant_attributes": {str(n): "x" for n in range(33)}},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_bad_request_is_refused_and_calls_no_agent(edge: Edge, body: Any) -> None:
    response = await edge.post(body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert edge.called == []


async def test_without_livekits_settings_the_endpoint_names_them() -> None:
    response = await Edge(None).post({})
    assert response.status_code == 503
    assert "LIVEKIT_API_SECRET" in response.json()["error"]["message"]


# The room as one caller, without a dialogue.


class Tap(FrameProcessor):
    """Keeps what the room let through."""

    def __init__(self) -> None:
        super().__init__()
        self.loudest = 0
        self.messages: list[Any] = []
        self.digits: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                peak = np.abs(np.frombuffer(frame.audio, dtype=np.int16).astype(int)).max()
                self.loudest = max(self.loudest, int(peak))
            case InputTransportMessageFrame():
                self.messages.append(frame.message)
            case InputDTMFFrame():
                self.digits.append(frame.button.value)
        await self.push_frame(frame, direction)


class Agent:
    """A room transport in a pipeline that says nothing.

    `seen` are its events: the caller is connected and disconnected, the agent itself has left the room.
    """

    def __init__(self, server: LiveKitServer, room: str, policy: PresencePolicy) -> None:
        params = MediaParams(audio_in_enabled=True, audio_out_enabled=True, audio_in_user_tracks=False)
        self.transport = RoomTransport(server.url, token(server, room, AGENT_IDENTITY, "agent"), room, params, policy)
        self.seen: list[str] = []
        self.tap = Tap()
        self.worker = PipelineWorker(
            Pipeline([self.transport.input(), self.tap, self.transport.output()]),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
        )
        self.transport.add_event_handler("on_client_connected", self._on_connected)
        self.transport.add_event_handler("on_client_disconnected", self._on_disconnected)
        self.transport.add_event_handler("on_disconnected", lambda *_: self.seen.append("left"))

    async def _on_connected(self, *_: object) -> None:
        self.seen.append("connected")

    async def _on_disconnected(self, *_: object) -> None:
        self.seen.append("disconnected")
        await self.worker.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """In the room while the block lasts; the task ends with the call."""
        joined = asyncio.Event()
        self.transport.add_event_handler("on_connected", lambda *_: joined.set())
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        call = asyncio.create_task(runner.run())
        arrival = asyncio.create_task(joined.wait())
        await asyncio.wait({call, arrival}, return_when=asyncio.FIRST_COMPLETED)
        arrival.cancel()
        try:
            yield call
        finally:
            await self.worker.cancel()
            await call


def token(server: LiveKitServer, room: str, identity: str, kind: Any = "standard") -> str:
    made = api.AccessToken(server.api_key, server.api_secret).with_identity(identity).with_kind(kind)
    return made.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()


def person(server: LiveKitServer, room: str, identity: str = "ann", kind: Any = "standard") -> Participant:
    return Participant(server.url, token(server, room, identity, kind))


def tone(secs: float) -> Samples:
    wave: Samples = (8000 * np.sin(np.arange(int(secs * RATE_HZ)) / 6)).astype(np.int16)
    return wave


async def test_another_agent_is_neither_heard_nor_answered(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "two-agents", PresencePolicy())
    async with agent.running(), person(livekit, "two-agents", "robot", "agent") as robot:
        await until(lambda: "robot" in agent.transport.get_participants())
        await robot.send({"from": "robot"})
        await robot.press("1")
        await robot.say(tone(1.0))
        assert agent.seen == [] and agent.tap.loudest < AUDIBLE_PEAK
        async with person(livekit, "two-agents") as ann:
            await until(lambda: agent.seen)
            await ann.send({"from": "ann"})
            await ann.press("2")
            await ann.say(tone(1.0))
            await until(lambda: agent.tap.messages and agent.tap.digits and agent.tap.loudest > AUDIBLE_PEAK)
            await agent.worker.queue_frame(OutputTransportMessageUrgentFrame(message={"to": "people"}))
            await until(lambda: ann.messages)
            await ann.send({"from": "ann again"})
            await until(lambda: len(robot.messages) >= 2)
    assert agent.tap.messages == [{"from": "ann"}, {"from": "ann again"}]
    assert agent.tap.digits == ["2"]
    assert ann.messages == [{"to": "people"}]
    assert robot.messages == [{"from": "ann"}, {"from": "ann again"}]


async def test_who_comes_back_in_time_is_the_same_caller(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "back", PresencePolicy(hung_up_secs=2.0))
    async with agent.running() as call:
        async with person(livekit, "back"):
            await until(lambda: agent.seen)
        await until(lambda: not agent.transport.people())
        async with person(livekit, "back"):
            done, _ = await asyncio.wait({call}, timeout=3.0)
            assert not done and agent.seen == ["connected"]
        await call
    assert agent.seen == ["connected", "disconnected", "left"]


async def test_who_is_lost_has_longer_to_come_back_than_who_has_hung_up(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "lost", PresencePolicy(hung_up_secs=0.2, lost_secs=20.0))
    async with agent.running() as call, person(livekit, "lost"):
        await until(lambda: agent.seen)
        async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as server:
            await server.room.remove_participant(api.RoomParticipantIdentity(room="lost", identity="ann"))
        await until(lambda: not agent.transport.people())
        done, _ = await asyncio.wait({call}, timeout=1.0)
        assert not done and agent.seen == ["connected"]


async def test_the_same_person_from_a_second_place_goes_on(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "places", PresencePolicy(hung_up_secs=0.2, lost_secs=1.0))
    async with agent.running() as call, person(livekit, "places") as first:
        await until(lambda: agent.seen)
        async with person(livekit, "places") as second:
            await until(lambda: not first.room.isconnected())
            done, _ = await asyncio.wait({call}, timeout=2.0)
            assert not done and second.agents() == [AGENT_IDENTITY]
        await call
    assert agent.seen == ["connected", "disconnected", "left"]


async def test_one_of_two_people_may_leave(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "two-people", PresencePolicy(hung_up_secs=0.2))
    async with agent.running() as call, person(livekit, "two-people", "bob"):
        async with person(livekit, "two-people", "ann"):
            await until(lambda: len(agent.transport.people()) == 2)
        await until(lambda: agent.transport.people() == ["bob"])
        done, _ = await asyncio.wait({call}, timeout=1.0)
        assert not done and agent.seen == ["connected"]


async def test_a_call_goes_on_when_the_server_comes_back(livekit: LiveKitServer) -> None:
    """While the agent reconnects, everybody seems to have left; the caller may be slower than the agent."""
    policy = PresencePolicy(hung_up_secs=0.2)
    async with a_call_whose_server_crashes(policy, down_secs=0.0) as (server, agent, call):
        done, _ = await asyncio.wait({call}, timeout=1.0)
        assert not done and agent.transport.people() == []
        async with person(server, "crash") as ann:
            await ann.send({"from": "ann"})
            await until(lambda: agent.tap.messages)
            assert agent.seen == ["connected"]


async def test_a_call_whose_caller_does_not_come_back_with_the_server_ends(livekit: LiveKitServer) -> None:
    policy = PresencePolicy(lost_secs=0.5)
    async with a_call_whose_server_crashes(policy, down_secs=1.0) as (_, agent, call):
        await call
    assert agent.seen == ["connected", "disconnected", "left"]


@asynccontextmanager
async def a_call_whose_server_crashes(
    policy: PresencePolicy, down_secs: float
) -> AsyncIterator[tuple[LiveKitServer, Agent, asyncio.Task[None]]]:
    """The server crashes in mid-call and comes back `down_secs` later; so does the agent, the caller does not."""
    with LiveKitServer.find_or_build() as server:
        agent = Agent(server, "crash", policy)
        async with agent.running() as call:
            async with person(server, "crash"):
                await until(lambda: agent.seen)
                await asyncio.to_thread(server.stop, signal.SIGKILL)
                await until(lambda: not agent.transport.people())
                await asyncio.sleep(down_secs)
            await asyncio.to_thread(server.start)
            await until_joined(server, "crash", AGENT_IDENTITY)
            yield server, agent, call


async def until_joined(server: LiveKitServer, room: str, identity: str) -> None:
    async with api.LiveKitAPI(server.url, server.api_key, server.api_secret) as calls:
        while True:
            listed = await calls.room.list_participants(api.ListParticipantsRequest(room=room))
            if identity in [p.identity for p in listed.participants]:
                return
            await asyncio.sleep(0.05)


async def test_a_room_to_which_nobody_comes_is_left(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "nobody", PresencePolicy(arrival_secs=0.3))
    async with agent.running() as call:
        await call
    assert agent.seen == ["disconnected", "left"]


async def test_a_room_that_is_deleted_ends_the_call(livekit: LiveKitServer) -> None:
    agent = Agent(livekit, "deleted", PresencePolicy())
    async with agent.running() as call, person(livekit, "deleted"):
        await until(lambda: agent.seen)
        async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as server:
            await server.room.delete_room(api.DeleteRoomRequest(room="deleted"))
        await call
    assert agent.seen == ["connected", "left", "disconnected"]


@pytest.mark.long
async def test_a_room_that_cannot_be_joined_ends_the_call(livekit: LiveKitServer) -> None:
    """Three tries of some seconds each."""
    nowhere = LiveKitServer.find_or_build()
    agent = Agent(nowhere, "nowhere", PresencePolicy())
    async with agent.running() as call:
        await call
    assert agent.seen == ["disconnected"]

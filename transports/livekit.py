"""LiveKit's edge: the token endpoint that calls an agent into a room, and the room as one caller.

Source of the endpoint: https://docs.livekit.io/frontends/authentication/tokens/endpoint, the contract of
`TokenSource.endpoint` in LiveKit's client SDKs.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from livekit import api, rtc
from pipecat.frames.frames import (
    ClientConnectedFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.transports.livekit.transport import LiveKitInputTransport, LiveKitOutputTransport, LiveKitTransport
from pipecat.transports.livekit.transport import LiveKitOutputTransportMessageUrgentFrame as MessageToOne
from pipecat.transports.livekit.transport import LiveKitParams as MediaParams

from transports.faults import EdgeFault, json_body

TOKEN_TTL = timedelta(seconds=60)
"""To join with; the server renews the tokens of those who are in a room. livekit-client keeps a token that is
valid for more than a minute and would go with it into a room to which no agent is called."""
AGENT_TTL = timedelta(minutes=10)
AGENT_IDENTITY = "openline-agent"
MAX_METADATA_CHARS = 4_000
MAX_ATTRIBUTES = 32
MAX_ATTRIBUTE_CHARS = 256
_NAME = re.compile(r"[\w.:@-]{1,128}")

PEOPLE = frozenset(
    {
        rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
        rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
        rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
    }
)
"""The kinds of participants that are callers; others are agents, recorders, streams."""


@dataclass(frozen=True)
class LiveKitParams:
    url: str
    api_key: str
    api_secret: str


@dataclass(frozen=True)
class PresencePolicy:
    """How long the agent stays in a room without people."""

    arrival_secs: float = 120.0
    """For the first to come: a token's life, and the minute that LiveKit allows for clocks that differ."""
    hung_up_secs: float = 5.0
    """After the last has hung up: a page that is reloaded is back within this."""
    lost_secs: float = 20.0
    """After the last has been lost, or the agent's own connection has come back: clients reconnect in 5-10 s."""
    subscribed_secs: float = 5.0
    """The greeting waits this long for somebody to receive the agent's voice."""


CallAgent = Callable[[str, str, str | None], Awaitable[str]]
"""(room, agent's token, conversation's token or None) -> the conversation's token; raises EdgeFault."""


@dataclass(frozen=True)
class _Wish:
    """What a token request asks for, checked."""

    room: str
    identity: str
    name: str
    metadata: str
    attributes: dict[str, str]
    conversation: str | None


def livekit_routes(params: LiveKitParams | None, call_agent: CallAgent) -> APIRouter:
    """Routes that give a participant's token and call the agent; `call_agent` never runs twice at once.

    A name of its own gives a room that nobody can guess. Whoever can name a room can join it: a `room_name`
    that is chosen by the client must be as hard to guess. `room_config` is accepted and not granted, since it
    can order recordings and other agents.
    """
    routes = APIRouter()
    calling = asyncio.Lock()

    @routes.post("/livekit/token", status_code=201)
    async def token(request: Request) -> Response:
        try:
            if params is None:
                raise EdgeFault(503, "no_livekit", "Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.")
            wish = _wish(await json_body(request))
            async with calling:
                conversation = await call_agent(wish.room, _agent_token(params, wish.room), wish.conversation)
            answer = {
                "server_url": params.url,
                "participant_token": _participant_token(params, wish),
                **({"conversation": conversation} if conversation else {}),
            }
            return JSONResponse(answer, 201)
        except EdgeFault as fault:
            return fault.response()

    return routes


def _wish(data: dict[str, Any]) -> _Wish:
    """Raises EdgeFault with a 400."""
    attributes = dict(_attributes(data))
    identity = _name(data, "participant_identity", "customer")
    if identity == AGENT_IDENTITY:
        raise EdgeFault(400, "bad_name", f"participant_identity {AGENT_IDENTITY} is the agent's own.")
    return _Wish(
        conversation=attributes.pop("conversation", None),
        room=_name(data, "room_name", "room"),
        identity=identity,
        name=_text(data, "participant_name", 128),
        metadata=_text(data, "participant_metadata", MAX_METADATA_CHARS),
        attributes=attributes,
    )


def _name(data: dict[str, Any], key: str, prefix: str) -> str:
    name = data.get(key) or f"{prefix}-{secrets.token_hex(16)}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise EdgeFault(400, "bad_name", f"{key} may have letters, digits and . : @ _ - only, at most 128.")
    return name


def _text(data: dict[str, Any], key: str, at_most: int) -> str:
    text = data.get(key) or ""
    if not isinstance(text, str) or len(text) > at_most:
        raise EdgeFault(400, "bad_text", f"{key} must be text of at most {at_most} characters.")
    return text


def _attributes(data: dict[str, Any]) -> dict[str, str]:
    attributes = data.get("participant_attributes") or {}
    if not isinstance(attributes, dict) or len(attributes) > MAX_ATTRIBUTES:
        raise EdgeFault(400, "bad_attributes", f"participant_attributes must be an object of {MAX_ATTRIBUTES} at most.")
    for key in attributes:
        _text(attributes, key, MAX_ATTRIBUTE_CHARS)
    return attributes


def _participant_token(params: LiveKitParams, wish: _Wish) -> str:
    """A token with least rights: this room, a microphone, data."""
    grants = api.VideoGrants(
        room_join=True,
        room=wish.room,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_publish_sources=["microphone"],
    )
    token = api.AccessToken(params.api_key, params.api_secret).with_identity(wish.identity).with_grants(grants)
    token = token.with_name(wish.name).with_metadata(wish.metadata).with_attributes(wish.attributes)
    return token.with_ttl(TOKEN_TTL).to_jwt()


def _agent_token(params: LiveKitParams, room: str) -> str:
    grants = api.VideoGrants(room_join=True, room=room, can_publish=True, can_subscribe=True, can_publish_data=True)
    token = api.AccessToken(params.api_key, params.api_secret).with_identity(AGENT_IDENTITY).with_grants(grants)
    return token.with_kind("agent").with_ttl(AGENT_TTL).to_jwt()


class RoomTransport(LiveKitTransport):
    """A room as one caller: its people are heard and answered, other agents are not.

    - on_client_connected: once, when the first person is there and somebody receives the agent's voice.
    - on_client_disconnected: once, when the people have left for good, none has come, or the room is lost.

        person    joins . . . . . . . . lost . . joins . . . . hangs up
        events      |connected            |<-lost_secs      |<- hung_up_secs ->|disconnected
    """

    def __init__(
        self, url: str, token: str, room_name: str, params: MediaParams, policy: PresencePolicy = PresencePolicy()
    ) -> None:
        super().__init__(url, token, room_name, params)
        self._policy = policy
        self._waiting: asyncio.Task[None] | None = None
        self._meeting: asyncio.Task[None] | None = None
        self._over = False

    def input(self) -> LiveKitInputTransport:
        if not self._input:
            self._input = _Input(self, self._client, self._params, name=self._input_name)
        return self._input

    def output(self) -> LiveKitOutputTransport:
        if not self._output:
            self._output = _Output(self, self._client, self._params, name=self._output_name)
        return self._output

    def people(self) -> list[str]:
        """Identities of the people who are in the room, as the connection shows it now."""
        return [p.identity for p in self._client.room.remote_participants.values() if p.kind in PEOPLE]

    def caller(self) -> tuple[str, str]:
        """(telephone number by LiveKit's SIP service, signed user by the token's attributes) of who is there alone.

        Source: https://docs.livekit.io/sip/sip-participant. Each is empty where it is not known.
        """
        people = [p for p in self._client.room.remote_participants.values() if p.kind in PEOPLE]
        if len(people) != 1:
            return "", ""
        by_phone = people[0].kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        number = people[0].attributes.get("sip.phoneNumber", "") if by_phone else ""
        return number, people[0].attributes.get("user", "")

    async def end(self) -> None:
        """The call is over, or could not begin."""
        if not self._over:
            self._over = True
            await self._call_event_handler("on_client_disconnected", {"id": self.participant_id})

    async def _on_connected(self) -> None:
        await super()._on_connected()
        room = self._client.room
        room.on("participant_disconnected", self._on_left)
        room.on("reconnected", self._on_reconnected)
        self._end_without_people(self._policy.arrival_secs)

    async def _on_participant_connected(self, participant_id: str) -> None:
        await self._call_event_handler("on_participant_connected", participant_id)
        if self._meeting is None and participant_id in self.people():
            self._meeting = asyncio.create_task(self._meet(participant_id))

    async def _meet(self, participant_id: str) -> None:
        """Say that the caller is there when the voice that is published reaches somebody."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.subscribed_secs):
                for publication in list(self._client.room.local_participant.track_publications.values()):
                    await publication.wait_for_subscription()
        await self._call_event_handler("on_client_connected", {"id": participant_id})
        await self.input().push_frame(ClientConnectedFrame())

    async def _on_participant_disconnected(self, participant_id: str) -> None:
        await self._call_event_handler("on_participant_disconnected", participant_id)
        await self._call_event_handler("on_participant_left", participant_id, "disconnected")

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        """Everybody leaves, by this account, when the agent's own connection breaks: `_on_reconnected` looks again."""
        if participant.kind in PEOPLE and not self.people():
            hung_up = participant.disconnect_reason == rtc.DisconnectReason.CLIENT_INITIATED
            self._end_without_people(self._policy.hung_up_secs if hung_up else self._policy.lost_secs)

    def _on_reconnected(self) -> None:
        self._end_without_people(self._policy.lost_secs)

    def _end_without_people(self, within_secs: float) -> None:
        """End the call unless people are there after this time; a later word counts, not an earlier one."""
        if self._waiting:
            self._waiting.cancel()
        self._waiting = asyncio.create_task(self._wait_for_people(within_secs))

    async def _wait_for_people(self, within_secs: float) -> None:
        await asyncio.sleep(within_secs)
        connected = self._client.room.connection_state == rtc.ConnectionState.CONN_CONNECTED
        if connected and not self.people():
            await self.end()

    async def _on_before_disconnect(self) -> None:
        """The agent leaves by itself: nothing is left to be ended."""
        self._over = True
        for task in (self._waiting, self._meeting):
            if task:
                task.cancel()
        await super()._on_before_disconnect()

    async def _on_disconnected(self) -> None:
        await super()._on_disconnected()
        await self.end()

    async def _on_data_received(self, data: bytes, participant_id: str | None) -> None:
        """What a server sends has no sender."""
        if participant_id is None or participant_id in self.people():
            await super()._on_data_received(data, participant_id)

    async def _on_dtmf_event(self, data: dict[str, Any]) -> None:
        if data["participant_id"] in self.people():
            await super()._on_dtmf_event(data)


class _Input(LiveKitInputTransport):
    """People alone are heard; a room that cannot be joined ends the call."""

    _transport: RoomTransport

    async def setup(self, setup: FrameProcessorSetup) -> None:
        try:
            await super().setup(setup)
        except Exception:
            await self._transport.end()
            raise

    async def _push_mixed_audio(self, audio_frame: rtc.AudioFrame, participant_id: str) -> None:
        if participant_id in self._transport.people():
            await super()._push_mixed_audio(audio_frame, participant_id)


class _Output(LiveKitOutputTransport):
    """Messages go to people alone: another Pipecat agent would answer them."""

    _transport: RoomTransport

    async def send_message(self, frame: OutputTransportMessageFrame | OutputTransportMessageUrgentFrame) -> None:
        for identity in self._transport.people():
            await super().send_message(MessageToOne(message=frame.message, participant_id=identity))

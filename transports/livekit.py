"""LiveKit's edge: the standard token endpoint; asking for a token also calls an agent into the room.

Source: https://docs.livekit.io/home/server/generating-tokens (TokenSource.endpoint of the client SDKs)
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from livekit import api

from transports.faults import EdgeFault, json_body

TOKEN_TTL = timedelta(minutes=10)
AGENT_TTL = timedelta(hours=6)
AGENT_IDENTITY = "openline-agent"
_NAME = re.compile(r"^[\w.:@-]{1,128}$")


@dataclass(frozen=True)
class LiveKitParams:
    url: str
    api_key: str
    api_secret: str


def livekit_routes(
    params: LiveKitParams | None, call_agent: Callable[[str, str, str | None], Awaitable[str]]
) -> APIRouter:
    """Routes that give a participant's token and call the agent: `call_agent(room, agent_token, conversation)`.

    `call_agent` returns the conversation's token and raises EdgeFault.
    """
    routes = APIRouter()

    @routes.post("/livekit/token", status_code=201)
    async def token(request: Request) -> Response:
        try:
            if params is None:
                raise EdgeFault(503, "no_livekit", "Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.")
            data = await json_body(request)
            room = _name(data, "room_name", f"room-{secrets.token_hex(6)}")
            identity = _name(data, "participant_identity", f"customer-{secrets.token_hex(6)}")
            attributes = data.get("participant_attributes") or {}
            asked = attributes.pop("conversation", None) if isinstance(attributes, dict) else None
            conversation = await call_agent(room, _agent_token(params, room), asked)
            participant = _token(params, room, identity).with_name(str(data.get("participant_name") or "")[:128])
            answer = {
                "server_url": params.url,
                "participant_token": participant.with_ttl(TOKEN_TTL).to_jwt(),
                "conversation": conversation,
            }
            return JSONResponse(answer, 201)
        except EdgeFault as fault:
            return fault.response()

    return routes


def _name(data: dict[str, Any], key: str, default: str) -> str:
    name = data.get(key) or default
    if not isinstance(name, str) or not _NAME.match(name):
        raise EdgeFault(400, "bad_name", f"{key} may have letters, digits and . : @ _ - only, at most 128.")
    return name


def _token(params: LiveKitParams, room: str, identity: str) -> api.AccessToken:
    """A token with least rights: this room, a microphone, data."""
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_subscribe=True,
        can_publish_data=True,
        can_publish_sources=["microphone"],
    )
    return api.AccessToken(params.api_key, params.api_secret).with_identity(identity).with_grants(grants)


def _agent_token(params: LiveKitParams, room: str) -> str:
    grants = api.VideoGrants(
        room_join=True, room=room, can_publish=True, can_subscribe=True, can_publish_data=True, agent=True
    )
    token = api.AccessToken(params.api_key, params.api_secret).with_identity(AGENT_IDENTITY).with_grants(grants)
    return token.with_kind("agent").with_ttl(AGENT_TTL).to_jwt()
